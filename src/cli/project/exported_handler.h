// Whether source text defines a handler, as a person would see it. Pure; in linear time, since
// bundled files are megabytes of few lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lambda::cli {

// "handler" or "lambda_handler", where a Python module defines, assigns or imports one.
[[nodiscard]] std::optional<std::string> python_handler_in(std::string_view source);
// Whether a JavaScript module, of either kind, exports `handler`.
[[nodiscard]] bool exports_handler(std::string_view source);

}  // namespace lambda::cli
