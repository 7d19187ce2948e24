// What is typed and must not be seen. Blocking; main thread.
#pragma once

#include <optional>
#include <string>

namespace lambda::cli {

// A line from the terminal that nobody sees, without its end. Ctrl-C gives nothing, with the echo
// on again.
[[nodiscard]] std::optional<std::string> read_hidden_line(const std::string& prompt);

}  // namespace lambda::cli
