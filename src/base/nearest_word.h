// "did you mean": the word that was probably meant. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lambda {

// The nearest of `words` where it is near enough to be meant, else "".
[[nodiscard]] std::string nearest_word(std::string_view word,
                                       const std::vector<std::string>& words);

}  // namespace lambda
