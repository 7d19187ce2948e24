// The files of a package that decide what is installed, and whether they decide it for good: then
// what they led to may be kept. Pure, but for `read`.
#pragma once

#include "base/result.h"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::deploy {

struct LockFiles {
  std::map<std::string, std::string> files;  // name in the package -> its bytes
  // Why another installation may bring something else ("requests (requirements.txt) has no exact
  // version"); "": it may not.
  std::string open;
  // What is installed depends on other files of the package, too.
  bool local = false;
};

// The text of a file of the package; nothing where there is none.
using ReadFile = std::function<std::optional<std::string>(const std::string& name)>;

// Where `family` ("python", "node") is told what to install. Errors: invalid: nowhere, or in a way
// that is not understood here; says what to do.
Result<LockFiles> find_lock_files(std::string_view family, const ReadFile& read);

}  // namespace lambda::deploy
