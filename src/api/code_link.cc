#include "api/code_link.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <unistd.h>

namespace lambda::api {
namespace {

constexpr auto kLinkLife = std::chrono::minutes(10);
constexpr std::size_t kDownloadPiece = 256 * 1024;

std::string link_signature(const Services& services, std::string_view digest,
                           std::string_view expires) {
  return hex_encode(hmac_sha256(services.link_secret, fmt::format("{}:{}", digest, expires)));
}

std::int64_t epoch_seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// The name by which the caller reached this server. Behind a proxy that ends TLS, its scheme.
std::string origin_of(const Services& services, const http::Request& request) {
  const auto host = request.headers.get("Host");
  if (host.empty() || request.peer.unix_uid) return services.addresses.base;
  const bool tls = request.peer.tls || request.headers.get("X-Forwarded-Proto") == "https";
  return fmt::format("{}://{}", tls ? "https" : "http", host);
}

}  // namespace

std::string code_link(const Services& services, const http::Request& request,
                      std::string_view digest) {
  const auto expires = std::to_string(epoch_seconds(services.clock.now() + kLinkLife));
  return fmt::format("{}/_lambda/code/{}.zip?expires={}&signature={}", origin_of(services, request),
                     digest, expires, link_signature(services, digest, expires));
}

Task<Answer> download_code(Services& services, Exchange& exchange) {
  std::string digest = exchange.captures.at(0);
  if (digest.ends_with(".zip")) digest.resize(digest.size() - 4);
  const auto expires = exchange.request.query_value("expires").value_or("");
  const auto signature = exchange.request.query_value("signature").value_or("");
  if (!equals_in_constant_time(signature, link_signature(services, digest, expires))) {
    co_return fail(ErrorCode::denied,
                   "this link is not one that this server gave (links end with a restart): ask "
                   "GetFunction for a new one");
  }
  if (std::strtoll(expires.c_str(), nullptr, 10) < epoch_seconds(services.clock.now())) {
    co_return fail(ErrorCode::denied, "this link has expired: ask GetFunction for a new one");
  }
  auto open = [&packages = services.packages, digest] { return packages.open_zip(digest); };
  auto file = co_await run_blocking(services.disk, std::move(open));
  if (!file) co_return fail(std::move(file.error()));
  http::Response head(200);
  head.headers.add("Content-Type", "application/zip");
  head.headers.add("Content-Length", std::to_string(::lseek(file->get(), 0, SEEK_END)));
  ::lseek(file->get(), 0, SEEK_SET);
  head.headers.add("x-amzn-RequestId", exchange.request_id);
  co_await exchange.writer.start(std::move(head));
  while (true) {
    auto read = [fd = file->get()] {
      std::string bytes(kDownloadPiece, '\0');
      const ssize_t count = ::read(fd, bytes.data(), bytes.size());
      bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
      return bytes;
    };
    auto bytes = co_await run_blocking(services.disk, std::move(read));
    if (bytes.empty()) break;
    auto written = co_await exchange.writer.write(std::move(bytes));
    if (!written) break;
  }
  co_await exchange.writer.finish();
  co_return std::nullopt;
}

}  // namespace lambda::api
