#include "gateway/forwarded.h"

#include "base/encoding.h"

#include <algorithm>
#include <array>

namespace lambda::gateway {
namespace {

constexpr std::array<std::string_view, 6> kForwarded = {"x-forwarded-for",    "x-forwarded-proto",
                                                        "x-forwarded-host",   "x-forwarded-port",
                                                        "x-forwarded-prefix", "x-amzn-trace-id"};

std::string port_of(const http::Request& request, std::string_view proto) {
  if (request.peer.local_port != 0) return std::to_string(request.peer.local_port);
  return proto == "https" ? "443" : "80";
}

}  // namespace

bool is_forwarded_field(std::string_view name) {
  return std::ranges::any_of(
      kForwarded, [name](std::string_view own) { return equals_ignoring_case(name, own); });
}

std::string source_ip(const http::Peer& peer) {
  return peer.address.empty() ? "127.0.0.1" : peer.address;
}

std::vector<std::pair<std::string, std::string>> forwarded_fields(const http::Request& request,
                                                                  const Route& route,
                                                                  std::string_view trace_id) {
  const auto& sent = request.headers;
  const bool trusted = request.peer.loopback;
  const auto otherwise = [&sent, trusted](std::string_view name, std::string own) {
    const auto* theirs = trusted ? sent.find(name) : nullptr;
    return theirs != nullptr && !theirs->empty() ? *theirs : own;
  };
  const auto way = trusted ? sent.joined("X-Forwarded-For") : std::string();
  const auto address = source_ip(request.peer);
  auto proto = otherwise("X-Forwarded-Proto", request.peer.tls ? "https" : "http");
  std::vector<std::pair<std::string, std::string>> fields;
  fields.emplace_back("x-forwarded-for", way.empty() ? address : way + ", " + address);
  fields.emplace_back("x-forwarded-host",
                      otherwise("X-Forwarded-Host", std::string(sent.get("Host"))));
  fields.emplace_back("x-forwarded-port", otherwise("X-Forwarded-Port", port_of(request, proto)));
  fields.emplace_back("x-forwarded-proto", std::move(proto));
  if (!route.prefix.empty()) fields.emplace_back("x-forwarded-prefix", route.prefix);
  fields.emplace_back("x-amzn-trace-id", std::string(trace_id));
  return fields;
}

}  // namespace lambda::gateway
