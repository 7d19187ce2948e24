// Names first, then the settings of a version, then tags and weights.
#include "function/validation.h"

#include "base/deploy_rules.h"
#include "base/egress_rules.h"
#include "base/encoding.h"
#include "base/environment_rules.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace lambda::function {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_name_char(char c) {
  return is_letter(c) || is_digit(c) || c == '-' || c == '_';
}

constexpr std::string_view kFunctionNamePattern =
    R"((arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?)";
constexpr std::string_view kRolePattern =
    R"(arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+)";

void check_text_fields(const Configuration& configuration, ValidationErrors& errors) {
  if (!configuration.role.empty()) {
    errors.check_pattern("role", configuration.role, is_role_arn(configuration.role), kRolePattern);
  }
  errors.check_length("description", configuration.description, 0, 256);
  errors.check_length("handler", configuration.handler, 0, 128);
  errors.check_pattern("handler", configuration.handler,
                       configuration.handler.find_first_of(" \t\r\n\v\f") == std::string::npos,
                       R"([^\s]+)");
}

void check_environment_names(const std::map<std::string, std::string>& variables,
                             ValidationErrors& errors) {
  for (const auto& [name, value] : variables) {
    if (is_variable_name(name)) continue;
    // The value stays out of the message: it may be a secret.
    errors.add("environment.variables", "{" + name + "=***}",
               "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
               "[a-zA-Z]([a-zA-Z0-9_])+]");
  }
}

Result<Done> check_package_settings(const Configuration& configuration) {
  if (configuration.package_type == PackageType::image) {
    if (configuration.runtime.empty() && configuration.handler.empty()) return Done{};
    return fail(ErrorCode::invalid,
                "Please don't provide Handler or Runtime or Layer when the intended function "
                "PackageType is Image.");
  }
  // A bootstrap of one's own may do without a handler, and so may what serves HTTP itself.
  const bool needs_handler = configuration.kind == Kind::handler &&
                             !std::string_view(configuration.runtime).starts_with("provided");
  if (configuration.runtime.empty() || (needs_handler && configuration.handler.empty())) {
    return fail(ErrorCode::invalid,
                "Runtime and Handler are mandatory parameters for functions created with "
                "deployment packages.");
  }
  if (configuration.image_config) {
    return fail(ErrorCode::invalid,
                "ImageConfig can only be set for functions of PackageType Image.");
  }
  const auto& runtimes = known_runtimes();
  if (std::ranges::find(runtimes, configuration.runtime) == runtimes.end()) {
    return fail(ErrorCode::invalid,
                "Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
                "value set: [{}] or be a valid ARN",
                configuration.runtime, fmt::join(runtimes, ", "));
  }
  return Done{};
}

}  // namespace

void ValidationErrors::add(std::string_view field, std::string_view value,
                           std::string_view constraint) {
  errors_.push_back(
      fmt::format("Value '{}' at '{}' failed to satisfy constraint: {}", value, field, constraint));
}

void ValidationErrors::add_missing(std::string_view field) {
  errors_.push_back(fmt::format(
      "Value null at '{}' failed to satisfy constraint: Member must not be null", field));
}

void ValidationErrors::check_range(std::string_view field, std::int64_t value, std::int64_t low,
                                   std::int64_t high) {
  if (value < low) {
    add(field, std::to_string(value),
        fmt::format("Member must have value greater than or equal to {}", low));
  } else if (value > high) {
    add(field, std::to_string(value),
        fmt::format("Member must have value less than or equal to {}", high));
  }
}

void ValidationErrors::check_length(std::string_view field, std::string_view value, std::size_t low,
                                    std::size_t high) {
  // Characters, as AWS counts.
  const auto length = count_characters(value);
  if (length < low) {
    add(field, value, fmt::format("Member must have length greater than or equal to {}", low));
  } else if (length > high) {
    add(field, value, fmt::format("Member must have length less than or equal to {}", high));
  }
}

void ValidationErrors::check_enum(std::string_view field, std::string_view value,
                                  const std::vector<std::string_view>& allowed) {
  if (std::ranges::find(allowed, value) != allowed.end()) return;
  add(field, value,
      fmt::format("Member must satisfy enum value set: [{}]", fmt::join(allowed, ", ")));
}

void ValidationErrors::check_pattern(std::string_view field, std::string_view value, bool matches,
                                     std::string_view pattern) {
  if (matches) return;
  add(field, value, fmt::format("Member must satisfy regular expression pattern: {}", pattern));
}

Result<Done> ValidationErrors::result() const {
  if (errors_.empty()) return Done{};
  return fail(ErrorCode::validation, "{} validation error{} detected: {}", errors_.size(),
              errors_.size() == 1 ? "" : "s", fmt::join(errors_, "; "));
}

const std::vector<std::string_view>& known_runtimes() {
  static const std::vector<std::string_view> runtimes = {
      "nodejs20.x", "nodejs22.x",   "nodejs24.x",     "python3.11",
      "provided",   "provided.al2", "provided.al2023"};
  return runtimes;
}

std::string_view host_architecture() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "x86_64";
#endif
}

Result<Done> check_function_name(std::string_view name) {
  ValidationErrors errors;
  errors.check_pattern("functionName", name,
                       !name.empty() && std::ranges::all_of(name, is_name_char),
                       kFunctionNamePattern);
  errors.check_length("functionName", name, 1, 64);
  return errors.result();
}

Result<Done> check_package_type(const Configuration& configuration, const Code& code) {
  const bool image = configuration.package_type == PackageType::image;
  if (image == !code.image_id.empty()) return Done{};
  const char* what =
      image ? "Please provide ImageUri when updating a function with packageType Image."
            : "Please don't provide ImageUri when updating a function with packageType Zip.";
  return fail(ErrorCode::invalid, "{}", what);
}

Result<Done> check_alias_name(std::string_view name) {
  ValidationErrors errors;
  errors.check_pattern("name", name,
                       !name.empty() && std::ranges::all_of(name, is_name_char) &&
                           !std::ranges::all_of(name, is_digit),
                       "(?!^[0-9]+$)([a-zA-Z0-9-_]+)");
  errors.check_length("name", name, 1, 128);
  return errors.result();
}

bool is_role_arn(std::string_view role) {
  if (!role.starts_with("arn:aws")) return false;
  const auto partition_end = role.find(':', 4);
  if (partition_end == std::string_view::npos) return false;
  for (const char c : role.substr(7, partition_end - 7)) {
    if (!is_letter(c) && c != '-') return false;
  }
  auto rest = role.substr(partition_end);
  if (!rest.starts_with(":iam::")) return false;
  rest.remove_prefix(6);
  if (rest.size() < 12 || !std::ranges::all_of(rest.substr(0, 12), is_digit)) return false;
  rest.remove_prefix(12);
  if (!rest.starts_with(":role/") || rest.size() == 6) return false;
  return std::ranges::all_of(rest.substr(6), [](char c) {
    return is_name_char(c) || std::string_view("+=,.@/").find(c) != std::string_view::npos;
  });
}

Result<Done> check_environment(const std::map<std::string, std::string>& variables) {
  ValidationErrors errors;
  check_environment_names(variables, errors);
  if (auto good = errors.result(); !good) return good;
  std::vector<std::string_view> reserved;
  for (const auto& [name, value] : variables) {
    if (is_reserved_variable(name)) reserved.emplace_back(name);
    if (value.find('\0') != std::string::npos) {
      return fail(ErrorCode::invalid, "environment variable {} holds a NUL byte: remove it", name);
    }
  }
  if (!reserved.empty()) {
    return fail(ErrorCode::invalid,
                "Lambda was unable to configure your environment variables because the environment "
                "variables you have provided contains reserved keys that are currently not "
                "supported for modification. Reserved keys used in this request: {}",
                fmt::join(reserved, ", "));
  }
  const auto text = environment_text(variables);
  if (text.size() > kMaxEnvironmentBytes) {
    return fail(ErrorCode::invalid,
                "Lambda was unable to configure your environment variables because the environment "
                "variables you have provided exceeded the 4KB limit. String measured: {}",
                text);
  }
  return Done{};
}

Result<Done> check_configuration(const Configuration& configuration) {
  ValidationErrors errors;
  check_text_fields(configuration, errors);
  errors.check_range("timeout", configuration.timeout_seconds, kTimeoutRange.least,
                     kTimeoutRange.most);
  errors.check_range("memorySize", configuration.memory_mb, kMemoryRange.least, kMemoryRange.most);
  errors.check_range("ephemeralStorage.size", configuration.ephemeral_storage_mb,
                     kEphemeralStorageRange.least, kEphemeralStorageRange.most);
  if (auto good = errors.result(); !good) return good;
  if (configuration.architecture != host_architecture()) {
    return fail(ErrorCode::invalid,
                "Architectures: this server runs {} only, and \"{}\" was asked for",
                host_architecture(), configuration.architecture);
  }
  if (configuration.port && *configuration.port == 0) {
    return fail(ErrorCode::invalid, "port must be between 1 and 65535");
  }
  if (configuration.concurrency && configuration.kind != Kind::http) {
    return fail(
        ErrorCode::invalid,
        "concurrency is for HTTP functions: an instance of a handler has one call at a time");
  }
  if (configuration.concurrency &&
      (*configuration.concurrency < 1 || *configuration.concurrency > 1000)) {
    return fail(ErrorCode::invalid, "concurrency must be between 1 and 1000");
  }
  if (configuration.idle_seconds &&
      (*configuration.idle_seconds < 1 || *configuration.idle_seconds > kIdleTimeRange.most)) {
    return fail(ErrorCode::invalid, "idleTime must be between 1 and {} seconds",
                kIdleTimeRange.most);
  }
  if (configuration.egress) {
    if (auto rule = parse_egress(*configuration.egress); !rule)
      return fail(std::move(rule.error()));
  }
  if (configuration.min_instances > kMinInstancesRange.most)
    return fail(ErrorCode::invalid, "minInstances must be at most {}", kMinInstancesRange.most);
  if (!cpu_thousandths(configuration.cpu_thousandths / 1000.0))
    return fail(ErrorCode::invalid, "cpus must be {}", kCpusRule);
  if (auto good = check_package_settings(configuration); !good) return good;
  return configuration.environment ? check_environment(*configuration.environment) : Done{};
}

Result<Done> check_revision(std::string_view expected, std::string_view actual) {
  if (expected.empty() || expected == actual) return Done{};
  return fail(ErrorCode::precondition,
              "The Revision Id provided does not match the latest Revision Id. Call the "
              "GetFunction/GetAlias API to retrieve the latest Revision Id");
}

Result<Done> check_tags(const std::map<std::string, std::string>& tags) {
  if (tags.size() > kMaxTags) {
    return fail(ErrorCode::invalid, "Number of tags exceeds resource tag limit.");
  }
  ValidationErrors errors;
  for (const auto& [key, value] : tags) {
    errors.check_length("tags.key", key, 1, 128);
    errors.check_length("tags." + key, value, 0, 256);
    if (to_lower(key).starts_with("aws:")) {
      return fail(ErrorCode::invalid, "Tag keys cannot start with the reserved prefix aws: ({})",
                  key);
    }
  }
  return errors.result();
}

std::optional<std::uint64_t> parse_version(std::string_view text) {
  if (text == "$LATEST") return 0;
  if (text.starts_with('0')) return std::nullopt;
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `end` says where it ends
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

Result<std::optional<std::pair<std::uint64_t, double>>> parse_version_weights(
    const std::map<std::string, double>& weights) {
  std::optional<std::pair<std::uint64_t, double>> additional;
  if (weights.empty()) return additional;
  if (weights.size() > 1) {
    return fail(ErrorCode::invalid,
                "Number of items in AdditionalVersionWeights cannot be greater than 1");
  }
  const auto& [text, weight] = *weights.begin();
  ValidationErrors errors;
  const std::string shown = fmt::format("{{{}={}}}", text, weight);
  const auto number = parse_version(text);
  if (!number) {
    errors.add("routingConfig.additionalVersionWeights", shown,
               "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
               "[0-9]+]");
  }
  if (!(weight >= 0.0 && weight <= 1.0)) {
    errors.add("routingConfig.additionalVersionWeights", shown,
               "Map value must satisfy constraint: [Member must have value less than or equal to "
               "1.0, Member must have value greater than or equal to 0.0]");
  }
  if (auto good = errors.result(); !good) return fail(std::move(good.error()));
  if (*number == 0) {
    return fail(ErrorCode::invalid,
                "$LATEST is not supported for an alias pointing to more than 1 version");
  }
  additional.emplace(*number, weight);
  return additional;
}

}  // namespace lambda::function
