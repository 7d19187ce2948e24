// Where a function finds the secrets that it gets as files, and how large the tmpfs for them is:
// the same on both drivers. Pure.
#pragma once

#include "sandbox/init/protocol.h"
#include "sandbox/sandbox.h"

#include <cstdint>

namespace lambda::sandbox {

// Made by the driver, filled by lambda-init before the function's first instruction.
using init::kSecretDirectory;

// Whole pages.
[[nodiscard]] inline std::uint64_t secret_bytes(const SandboxSpec& spec) {
  constexpr std::uint64_t page = 4096;
  std::uint64_t bytes = 0;
  for (const auto& [name, content] : spec.secret_files)
    bytes += content.size() / page * page + page;
  return bytes;
}

}  // namespace lambda::sandbox
