// What people write of variables and secrets: KEY=VALUE, a file of such lines, NAME:file. Blocking
// reads of files; otherwise pure.
#pragma once

#include "base/blocking.h"
#include "base/environment_rules.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>

namespace lambda::cli {

// `flag` is how the message calls it. Error: invalid.
Result<std::pair<std::string, std::string>> key_and_value(const std::string& text,
                                                          std::string_view flag);
// Docker's format: K=V lines as they are, blank lines and comments skipped. Error: invalid, with
// the line's number alone: the line may be a secret.
Result<Done> add_environment_file(const std::string& path, Variables& environment);
// "NAME", "NAME:env", "NAME:file" -> the name, and "", "env" or "file". `where` is how the message
// calls it. Error: invalid.
Result<std::pair<std::string, std::string>> secret_reference(const std::string& text,
                                                             std::string_view where);

}  // namespace lambda::cli
