// The rules for what a caller may name and set, with AWS's own words where AWS has them.
// Pure functions over values; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "function/function.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::function {

// Collects what is wrong with the fields of one request, and says all of it at once:
//   "2 validation errors detected: Value '64' at 'memorySize' failed to satisfy constraint: Member
//    must have value greater than or equal to 128; Value ..."
class ValidationErrors {
 public:
  // Value 'value' at 'field' failed to satisfy constraint: <constraint>
  void add(std::string_view field, std::string_view value, std::string_view constraint);
  // Value null at 'field' failed to satisfy constraint: Member must not be null
  void add_missing(std::string_view field);
  void check_range(std::string_view field, std::int64_t value, std::int64_t low, std::int64_t high);
  void check_length(std::string_view field, std::string_view value, std::size_t low,
                    std::size_t high);
  void check_enum(std::string_view field, std::string_view value,
                  const std::vector<std::string_view>& allowed);
  // `matches` is the outcome of a check made elsewhere; `pattern` is what the message shows.
  void check_pattern(std::string_view field, std::string_view value, bool matches,
                     std::string_view pattern);

  [[nodiscard]] bool empty() const { return errors_.empty(); }
  // ErrorCode::validation, or Done where nothing was added.
  [[nodiscard]] Result<Done> result() const;

 private:
  std::vector<std::string> errors_;
};

// The runtimes that this server can have. Whether one is built is the runtime catalog's to say.
[[nodiscard]] const std::vector<std::string_view>& known_runtimes();
// "x86_64" or "arm64": the machine this program was built for.
[[nodiscard]] std::string_view host_architecture();

// [a-zA-Z0-9-_]{1,64}. Error: validation, at 'functionName'.
[[nodiscard]] Result<Done> check_function_name(std::string_view name);
// [a-zA-Z0-9-_]{1,128}, not a number alone. Error: validation, at 'name'.
[[nodiscard]] Result<Done> check_alias_name(std::string_view name);
// Zip with a package, Image with an image. Error: invalid, AWS's words.
[[nodiscard]] Result<Done> check_package_type(const Configuration& configuration, const Code& code);
// Concurrent calls of an account, as on a new one of AWS's.
inline constexpr int kAccountConcurrency = 1'000;
// arn:aws:iam::<12 digits>:role/...
[[nodiscard]] bool is_role_arn(std::string_view role);

// Every setting of a version. Errors: validation (all at once) or invalid, AWS's texts.
[[nodiscard]] Result<Done> check_configuration(const Configuration& configuration);
// Names and total size (4 KB of JSON). Part of check_configuration.
[[nodiscard]] Result<Done> check_environment(const std::map<std::string, std::string>& variables);

// A RevisionId that a caller expects. Error: precondition; an empty `expected` is not checked.
[[nodiscard]] Result<Done> check_revision(std::string_view expected, std::string_view actual);

inline constexpr std::size_t kMaxTags = 50;
// The whole set that a function would have.
[[nodiscard]] Result<Done> check_tags(const std::map<std::string, std::string>& tags);

// AdditionalVersionWeights as it came. An empty map clears the routing. Errors: invalid (more than
// one entry, $LATEST), validation (a weight outside 0.0 to 1.0, a key that is no version).
[[nodiscard]] Result<std::optional<std::pair<std::uint64_t, double>>> parse_version_weights(
    const std::map<std::string, double>& weights);

// "$LATEST" -> 0, "7" -> 7; anything else ("07") is none.
[[nodiscard]] std::optional<std::uint64_t> parse_version(std::string_view text);

}  // namespace lambda::function
