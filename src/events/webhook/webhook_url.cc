#include "events/webhook/webhook_url.h"

#include "base/blocking.h"

#include <algorithm>

namespace lambda::events {
namespace {

constexpr std::size_t kLongestUrl = 2'048;

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != '\\'; });
}

// Letters, digits, '-', '_' and dots between them.
bool is_host_name(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > 253 || host.front() == '.') return false;
  if (host.find("..") != std::string_view::npos) return false;
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

// "2130706433", "0x7f.1", "127.1": resolvers read them as IPv4 addresses.
bool is_odd_address(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto last = host.substr(host.rfind('.') + 1);
  return !last.empty() && last.front() >= '0' && last.front() <= '9' &&
         last.find_first_not_of("0123456789abcdefABCDEFxX") == std::string_view::npos;
}

Result<Done> check_host(const std::string& host, const egress::AddressRules& rules) {
  boost::system::error_code no_address;
  auto address = boost::asio::ip::make_address(host, no_address);
  if (no_address && http::is_localhost(host)) {
    address = boost::asio::ip::address_v4::loopback();
  } else if (no_address) {
    if (!is_host_name(host)) return fail(ErrorCode::invalid, "\"{}\" is not a host", host);
    if (is_odd_address(host)) {
      return fail(ErrorCode::invalid,
                  "\"{}\" is not a host: write an IPv4 address as four numbers from 0 to 255",
                  host);
    }
    return Done{};
  }
  if (const auto reason = rules.refusal(address))
    return fail(egress::address_refused(kWebhooks, host, address, *reason).as(ErrorCode::invalid));
  return Done{};
}

}  // namespace

Result<http::ParsedUrl> parse_webhook_url(std::string_view url, const egress::AddressRules& rules) {
  if (url.size() > kLongestUrl)
    return fail(ErrorCode::invalid, "the address has more than {} characters", kLongestUrl);
  if (!is_printable(url)) {
    return fail(ErrorCode::invalid,
                "the address holds a space, a backslash, or characters beyond ASCII: write them as "
                "%XX");
  }
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(ErrorCode::invalid, "\"{}\" does not begin with http:// or https://", url);
  const auto authority = url.substr(url.find("//") + 2);
  if (authority.substr(0, authority.find_first_of("/?#")).find('@') != std::string_view::npos) {
    return fail(ErrorCode::invalid,
                "the address holds a user name: webhooks are signed, and a secret of the "
                "receiver's own belongs into the path or the query");
  }
  auto parsed = http::parse_url(url);
  if (!parsed) return parsed;
  if (auto good = check_host(parsed->endpoint.host, rules); !good)
    return fail(std::move(good.error()));
  return parsed;
}

}  // namespace lambda::events
