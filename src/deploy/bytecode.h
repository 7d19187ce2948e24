// Python bytecode, compiled at deploy: importing 200 modules from read-only code costs 200 ms
// without it and 70 with. The compiler is a program of the runtime's base file system and runs in
// the function's own kind of sandbox: the code is only parsed, and never on the host.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "function/function.h"
#include "function/package_store.h"
#include "invoke/invoker.h"

#include <optional>
#include <string>

namespace lambda::deploy {

[[nodiscard]] bool wants_bytecode(const function::Configuration& configuration);

// Adds what it compiled to the unpacked code. A file that does not compile is left to fail when it
// is imported. It comes in answers of a few megabytes, each kept at once: an error, which the
// caller may pass over, means that the rest has none. Nothing: all is well; else a person's words
// for what went without.
Task<std::optional<std::string>> compile_bytecode(invoke::Invoker& invoker,
                                                  function::PackageStore& packages,
                                                  BlockingPool& disk, function::VersionPtr version);

}  // namespace lambda::deploy
