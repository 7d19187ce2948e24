#include "access/signed_body.h"

#include "access/body_budget.h"

#include <optional>
#include <utility>

namespace lambda::access {
namespace {

// What it has read is counted for as long as it lives.
class CountedBody final : public http::BodyReader {
 public:
  CountedBody(http::BodyReader& body, BodyBudget& budget) : body_(body), budget_(budget) {}
  ~CountedBody() override { budget_.give_back(taken_); }
  CountedBody(const CountedBody&) = delete;
  CountedBody& operator=(const CountedBody&) = delete;

  Task<Result<std::string>> read_some() override {
    auto piece = co_await body_.read_some();
    if (!piece) co_return piece;
    if (!budget_.take(piece->size())) {
      co_return fail(ErrorCode::overloaded,
                     "the server holds too many request bodies whose signature it cannot check "
                     "yet: try again, or sign with X-Amz-Content-Sha256, or send the key itself");
    }
    taken_ += piece->size();
    co_return piece;
  }
  [[nodiscard]] std::optional<std::size_t> declared_length() const override {
    return body_.declared_length();
  }

 private:
  http::BodyReader& body_;
  BodyBudget& budget_;
  std::size_t taken_ = 0;
};

}  // namespace

Task<Result<SignedBody>> read_signed(const KeyChecker& keys, BlockingPool& disk,
                                     const http::Request& request, http::BodyReader& body,
                                     std::size_t limit) {
  const auto good_already = keys.check_before_body(request);
  if (!good_already) co_return fail(Error(good_already.error()));
  CountedBody counted(body, keys.unverified());
  http::BodyReader& source = *good_already ? body : counted;
  auto bytes = co_await http::read_all(source, limit);
  if (!bytes) co_return fail(std::move(bytes.error()));
  auto check = [&keys, &request, &bytes] { return keys.check_signature(request, *bytes); };
  auto caller = co_await run_sized(disk, bytes->size(), std::move(check));
  if (!caller) co_return fail(std::move(caller.error()));
  SignedBody read{std::move(*caller), std::move(*bytes)};
  co_return read;
}

}  // namespace lambda::access
