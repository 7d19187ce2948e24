// What a person may have meant by a time zone that there is not.
//
// Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lambda::events {

// "berlin" -> "Europe/Berlin", "UTC+2" -> "Etc/GMT-2"; "" where nothing is near.
[[nodiscard]] std::string likely_zone(std::string_view name, const std::vector<std::string>& names);

}  // namespace lambda::events
