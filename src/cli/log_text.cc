#include "cli/log_text.h"

#include "cli/connection/json_fields.h"
#include "cli/foreign_text.h"
#include "cli/output.h"

#include <spdlog/fmt/fmt.h>

#include <string>
#include <unistd.h>

namespace lambda::cli {
namespace {

constexpr std::string_view kDim = "\x1B[2m";
constexpr std::string_view kReset = "\x1B[0m";

std::string_view colour_of(std::string_view level) {
  if (level == "fatal" || level == "error") return "\x1B[31m";
  if (level == "warn") return "\x1B[33m";
  if (level == "debug" || level == "trace") return "\x1B[36m";
  return {};
}

}  // namespace

LogStyle log_style() {
  LogStyle style;
  style.terminal = is_terminal(STDOUT_FILENO);
  style.colours = wants_colour(STDOUT_FILENO);
  return style;
}

std::string lost_text(const boost::json::object& lost) {
  return fmt::format(
      "{} lines since {} are not kept on the server's disk ({}): only the newest of them are here",
      number_in(lost, "lines"), text_in(lost, "since"), text_in(lost, "reason"));
}

std::string log_text(const boost::json::object& line, const LogStyle& style) {
  const auto time = text_in(line, "time");
  auto text = text_in(line, "text");
  if (!style.terminal) return time + "  " + text;
  text = tamed_line(text, style.colours);
  if (!style.colours) return time + "  " + text;
  std::string shown;
  shown.append(kDim).append(time).append(kReset).append("  ");
  const auto level = text_in(line, "level");
  const auto colour = flag_in(line, "platform") && level != "error" ? kDim : colour_of(level);
  // A reset at the end in any case: the function's own colours end with its line.
  return shown.append(colour).append(text).append(kReset);
}

}  // namespace lambda::cli
