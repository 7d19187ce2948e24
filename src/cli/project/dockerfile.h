// What the command line reads of a Dockerfile. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace lambda::cli {

// The first EXPOSE (of TCP) of the last stage, with its ARGs and ENVs filled in. A stage that
// begins with FROM an earlier one has that one's EXPOSE.
[[nodiscard]] std::optional<std::uint16_t> exposed_port(const std::string& dockerfile);

}  // namespace lambda::cli
