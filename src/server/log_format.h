// How lambdad's log looks: a line a message, whatever is in it. Texts from outside (names, errors
// of functions and of Docker) are among the messages: their control characters are written as
// escapes, so that they can neither look like other lines nor command the terminal that shows them.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace lambda::server {

[[nodiscard]] std::unique_ptr<spdlog::formatter> log_formatter();
// {"time","level","message","pid","thread"} a line.
[[nodiscard]] std::unique_ptr<spdlog::formatter> json_log_formatter();

}  // namespace lambda::server
