#include "api/paging.h"

#include "base/encoding.h"
#include "function/validation.h"

#include <algorithm>
#include <charconv>

namespace lambda::api {
namespace {

constexpr std::int64_t kMostAsked = 10'000;
// What a marker begins with inside its base64, so that a made-up one is noticed.
constexpr std::string_view kMarkerMark = "after:";

Result<std::size_t> page_size(const http::Request& request, std::size_t most) {
  const auto text = request.query_value("MaxItems");
  if (!text) return most;
  std::int64_t wanted = 0;
  const char* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, wanted);
  if (error != std::errc() || stop != end) {
    return fail(Error(ErrorCode::invalid, fmt::format("MaxItems is no number: {}", *text))
                    .with_aws_type("SerializationException"));
  }
  function::ValidationErrors errors;
  errors.check_range("maxItems", wanted, 1, kMostAsked);
  if (auto good = errors.result(); !good) return fail(std::move(good.error()));
  return std::min(most, static_cast<std::size_t>(wanted));
}

}  // namespace

Result<Page> page_of(const http::Request& request, const std::vector<std::string>& keys,
                     std::size_t most) {
  const auto size = page_size(request, most);
  if (!size) return fail(Error(size.error()));
  Page page;
  if (const auto marker = request.query_value("Marker"); marker && !marker->empty()) {
    const auto text = base64_decode(*marker);
    if (!text || !text->starts_with(kMarkerMark))
      return fail(ErrorCode::invalid, "Invalid Marker: take it from NextMarker of the page before");
    const auto after = text->substr(kMarkerMark.size());
    page.begin = static_cast<std::size_t>(std::ranges::upper_bound(keys, after) - keys.begin());
  }
  page.end = std::min(keys.size(), page.begin + *size);
  if (page.end < keys.size())
    page.next = base64_encode(std::string(kMarkerMark) + keys[page.end - 1]);
  return page;
}

std::string version_key(const std::string& name, std::uint64_t number) {
  // Closed with what sorts below every character of a name: "a" and its versions before "a-b".
  return fmt::format("{}\x01{:020}", name, number);
}

}  // namespace lambda::api
