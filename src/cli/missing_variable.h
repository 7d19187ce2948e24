// Why Python code did not start, where it asked os.environ for what is not there. Pure.
#pragma once

#include <string>
#include <string_view>

namespace lambda::cli {

// What to do about it, as a sentence or two; "" where the output of the code says nothing of the
// kind.
[[nodiscard]] std::string missing_variable_remedy(std::string_view output);

}  // namespace lambda::cli
