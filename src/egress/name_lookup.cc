#include "egress/name_lookup.h"

#include "http/client.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace lambda::egress {
namespace {

namespace ip = boost::asio::ip;

std::optional<Addresses> without_dns(const std::string& host) {
  boost::system::error_code no_address;
  const auto address = ip::make_address(host, no_address);
  if (!no_address) return Addresses{address};
  if (http::is_localhost(host)) return Addresses{ip::address_v4::loopback()};
  return std::nullopt;
}

}  // namespace

// Counts who waits for a name.
class NameLookup::Waiter {
 public:
  Waiter(NameLookup& lookup, std::string host, std::shared_ptr<Pending> pending)
      : lookup_(lookup), host_(std::move(host)), pending_(std::move(pending)) {
    ++pending_->waiting;
  }
  ~Waiter() {
    if (--pending_->waiting == 0 && !pending_->runs) lookup_.leave_line(host_);
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

 private:
  NameLookup& lookup_;
  std::string host_;
  std::shared_ptr<Pending> pending_;
};

NameLookup::NameLookup(const Clock& clock, unsigned threads, AddressSystem system)
    : clock_(clock),
      threads_(threads),
      read_own_(std::move(system.own)),
      own_pool_("own-addresses", 1),
      names_(threads, std::move(system.host)) {}

void NameLookup::finish() {
  names_.leave();
  own_pool_.finish();
}

std::shared_ptr<NameLookup::Pending> NameLookup::join(const std::string& host) {
  if (const auto known = pending_.find(host); known != pending_.end()) return known->second;
  line_.push_back(host);
  return pending_[host] = std::make_shared<Pending>();
}

void NameLookup::leave_line(const std::string& host) {
  std::erase(line_, host);
  pending_.erase(host);
}

bool NameLookup::has_room(Standing standing) {
  const auto bad = running(Standing::bad);
  const auto unproven = bad + running(Standing::fresh);
  if (unproven + running(Standing::good) >= threads_) return false;
  if (standing == Standing::good) return true;
  if (unproven >= std::max(1U, threads_ * 3 / 4)) return false;
  return standing == Standing::fresh || bad < std::max(1U, threads_ / 2);
}

void NameLookup::start_those_with_room(LoopExecutor executor) {
  const auto may_start = [this](const std::string& host) {
    return has_room(memory_.standing(host));
  };
  for (auto next = std::ranges::find_if(line_, may_start); next != line_.end();
       next = std::ranges::find_if(line_, may_start)) {
    const auto host = std::move(*next);
    line_.erase(next);
    start(host, executor);
  }
}

void NameLookup::start(const std::string& host, LoopExecutor executor) {
  const auto standing = memory_.standing(host);
  pending_.at(host)->runs = true;
  ++running(standing);
  names_.ask(host, [this, host, executor, standing](Result<Addresses> found,
                                                    std::chrono::microseconds took) {
    asio::post(executor,
               [this, host, executor, standing, took, found = std::move(found)]() mutable {
                 take_in(host, standing, std::move(found), took);
                 start_those_with_room(executor);
               });
  });
}

void NameLookup::take_in(const std::string& host, Standing standing, Result<Addresses> found,
                         std::chrono::microseconds took) {
  --running(standing);
  memory_.note(host, found, took, clock_.steady_now());
  const auto pending = std::move(pending_.extract(host).mapped());
  pending->found = std::move(found);
  pending->done.set();
}

Task<Result<Addresses>> NameLookup::addresses_of(std::string host, SteadyTime deadline) {
  if (auto plain = without_dns(host)) co_return std::move(*plain);
  if (auto known = memory_.addresses(host, clock_.steady_now())) co_return std::move(*known);
  const auto pending = join(host);
  const Waiter waiter(*this, host, pending);
  start_those_with_room(co_await asio::this_coro::executor);
  if (co_await pending->done.wait_until(deadline)) co_return pending->found;
  if (pending->runs)
    co_return fail(ErrorCode::timeout, "look up {}: no answer from DNS in time", host);
  co_return fail(ErrorCode::timeout,
                 "look up {}: not begun in time, too many other names wait for DNS servers that do "
                 "not answer",
                 host);
}

Task<Result<Addresses>> NameLookup::own_now(SteadyTime deadline) {
  if (!own_) {
    own_ = std::make_shared<Answer>();
    const auto executor = co_await asio::this_coro::executor;
    own_pool_.post([this, executor, answer = own_] {
      auto found = read_own_();
      asio::post(executor, [this, answer, found = std::move(found)]() mutable {
        own_.reset();
        answer->found = std::move(found);
        answer->done.set();
      });
    });
  }
  const auto answer = own_;
  if (!co_await answer->done.wait_until(deadline))
    co_return fail(ErrorCode::timeout, "list the addresses of this machine: not done in time");
  co_return answer->found;
}

Task<Result<NameLookup::Found>> NameLookup::find(std::string host, SteadyTime deadline) {
  auto addresses = co_await addresses_of(std::move(host), deadline);
  if (!addresses) co_return fail(std::move(addresses.error()));
  auto own = co_await own_now(deadline);
  if (!own) co_return fail(std::move(own.error()));
  Found found;
  found.addresses = std::move(*addresses);
  found.own = std::move(*own);
  co_return found;
}

}  // namespace lambda::egress
