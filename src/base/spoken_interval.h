// "every 5 minutes", as people write what schedules call rate(5 minutes). Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace lambda {

// The schedule that was probably meant by "5 minutes", "every hour", "90s" or "daily"; "" where
// the text is nothing of that kind.
[[nodiscard]] std::string schedule_of_words(std::string_view text);

}  // namespace lambda
