// A schedule's expression that the shell took apart: --cron 0 9 * * *. Pure.
#pragma once

#include <string>
#include <vector>

namespace lambda::cli {

// What has to stand in quotes, where `words` are what --cron was given and what is left over: their
// first, when they are an expression whose * the shell has let be; else an example.
[[nodiscard]] std::string quoted_schedule(const std::vector<std::string>& words);
// The expression that `words` without an option are; "" where they are none.
[[nodiscard]] std::string schedule_without_option(const std::vector<std::string>& words);
// Whether what --cron was given is the beginning of an expression, and not one.
[[nodiscard]] bool is_part_of_schedule(const std::string& word);

}  // namespace lambda::cli
