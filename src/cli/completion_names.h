// Names for completion that the server or the settings know. Silent; what cannot be had within
// 300 ms is nothing.
#pragma once

#include "cli/completion.h"

#include <string>
#include <vector>

namespace lambda::cli {

// What the server said in the last five seconds is not asked for again: it is kept below
// ~/.cache/lambda ($XDG_CACHE_HOME), readable by its owner alone.
[[nodiscard]] std::vector<std::string> names_for(const WordWanted& wanted);

}  // namespace lambda::cli
