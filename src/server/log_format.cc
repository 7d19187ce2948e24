#include "server/log_format.h"

#include "base/encoding.h"
#include "base/time_text.h"

#include <boost/json.hpp>
#include <spdlog/pattern_formatter.h>

#include <chrono>
#include <string>
#include <string_view>
#include <unistd.h>

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

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& to) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const auto level = spdlog::level::to_string_view(message.level);
    const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(message.time);
    const auto repaired = is_valid_utf8(text) ? std::string(text) : repair_utf8(text);
    const auto line = fmt::format(
        R"({{"time":"{}Z","level":"{}","message":{},"pid":{},"thread":{}}})"
        "\n",
        format_iso(time), std::string_view(level.data(), level.size()),
        boost::json::serialize(boost::json::string(repaired)), ::getpid(), message.thread_id);
    to.append(line.data(), line.data() + line.size());
  }
  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return json_log_formatter();
  }
};

}  // namespace

std::unique_ptr<spdlog::formatter> json_log_formatter() {
  return std::make_unique<JsonFormatter>();
}

std::unique_ptr<spdlog::formatter> log_formatter() {
  return std::make_unique<EscapingFormatter>();
}

}  // namespace lambda::server
