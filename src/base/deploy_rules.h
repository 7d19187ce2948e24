// What a deploy may say: the rules that the command line applies before it packs anything, and the
// server when the upload has come. One text for both. Pure; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda {

// What NAME.<domain> needs: 1-63 of a-z 0-9 '-', neither first nor last a '-', not reserved.
[[nodiscard]] bool is_host_label(std::string_view name);
// For `lambda deploy`, whose functions must have a URL. Error: invalid; says which rule, and a name
// that would do.
[[nodiscard]] Result<Done> check_deploy_name(std::string_view name);

// The numbers that a setting may be.
struct Range {
  std::int64_t least;
  std::int64_t most;
};
inline constexpr Range kTimeoutRange{1, 900};                // seconds
inline constexpr Range kMemoryRange{128, 10'240};            // MB
inline constexpr Range kEphemeralStorageRange{512, 10'240};  // MB
inline constexpr Range kPortRange{1, 65'535};
inline constexpr Range kConcurrencyRange{1, 1000};  // of an HTTP function
inline constexpr Range kIdleTimeRange{0, 86'400};   // seconds; 0: the server's
inline constexpr Range kMinInstancesRange{0, 1000};
// Of CPUs that an instance may use: thousandths of one, nothing where it may not be that. 0: no
// limit.
[[nodiscard]] std::optional<unsigned> cpu_thousandths(double cpus);
inline constexpr std::string_view kCpusRule = "a number from 0.05 to 64, such as 0.5, or 0";
// Of a function's own log: MB on disk, and seconds up to ten years, or 0 for no limit of age.
inline constexpr Range kLogSizeRange{1, 10'240};
inline constexpr Range kLogAgeRange{60, 315'360'000};
// Errors: invalid, with the range.
[[nodiscard]] Result<Done> check_log_size(std::int64_t megabytes);
[[nodiscard]] Result<Done> check_log_age(std::int64_t seconds);

// Of the line about a version, in characters.
inline constexpr std::size_t kMaxDeployMessage = 1'000;
// Error: invalid, with the limit.
[[nodiscard]] Result<Done> check_deploy_message(std::string_view message);

// Whether `name` is one of `known`. Error: invalid, with the nearest of them.
[[nodiscard]] Result<Done> check_runtime_name(std::string_view name,
                                              const std::vector<std::string>& known);

}  // namespace lambda
