#include "invoke/trace_id.h"

#include "base/crypto.h"
#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <cstdint>

namespace lambda::invoke {
namespace {

constexpr std::size_t kLongestTraceId = 256;

}  // namespace

std::string trace_id_for(std::string_view sent, WallTime now) {
  const bool usable = sent.find("Root=") != std::string_view::npos &&
                      sent.size() <= kLongestTraceId && is_valid_utf8(sent);
  if (usable) return std::string(sent);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const auto bytes = hex_encode(random_bytes(20));
  return fmt::format("Root=1-{:08x}-{};Parent={};Sampled=0",
                     static_cast<std::uint32_t>(seconds.count()), bytes.substr(0, 24),
                     bytes.substr(24));
}

}  // namespace lambda::invoke
