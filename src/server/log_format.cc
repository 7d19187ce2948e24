#include "server/log_format.h"

#include "base/encoding.h"

#include <spdlog/pattern_formatter.h>

#include <string>
#include <string_view>

namespace lambda::server {
namespace {

class EscapingFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    const auto escaped =
        escape_controls(std::string_view(message.payload.data(), message.payload.size()));
    auto shown = message;
    shown.payload = escaped;
    lines_.format(shown, to);
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return log_formatter();
  }

 private:
  spdlog::pattern_formatter lines_{"%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc};
};

}  // namespace

std::unique_ptr<spdlog::formatter> log_formatter() {
  return std::make_unique<EscapingFormatter>();
}

}  // namespace lambda::server
