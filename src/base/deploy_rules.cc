#include "base/deploy_rules.h"

#include "base/encoding.h"
#include "base/nearest_word.h"

#include <spdlog/fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace lambda {
namespace {

// Labels that are, or may become, doors of the server itself.
constexpr std::array<std::string_view, 13> kReservedLabels = {
    "admin",  "api",     "auth",      "console", "dashboard", "docs", "host",
    "lambda", "lambdad", "localhost", "metrics", "status",    "www"};

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_reserved(std::string_view name) {
  return std::ranges::find(kReservedLabels, name) != kReservedLabels.end() ||
         name.starts_with("xn--");
}

// What stands for U+00C0 to U+00FF in a label.
constexpr std::string_view kPlainLetters =
    "aaaaaaaceeeeiiiidnooooo-ouuuuytsaaaaaaaceeeeiiiidnooooo-ouuuuyty";

std::string without_accents(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool accented = text[i] == '\xC3' && i + 1 < text.size() && (text[i + 1] & 0xC0) == 0x80;
    plain += accented ? kPlainLetters[static_cast<unsigned char>(text[++i]) & 0x3Fu] : text[i];
  }
  return plain;
}

// A name that would do, made from one that does not.
std::string suggest_label(std::string_view name) {
  std::string label;
  for (const char c : to_lower(without_accents(name))) {
    if (is_lower_or_digit(c))
      label += c;
    else if (!label.empty() && label.back() != '-')
      label += '-';
    if (label.size() == 63) break;
  }
  while (!label.empty() && label.back() == '-') label.pop_back();
  if (is_reserved(label)) label = "my-" + label;
  return is_host_label(label) ? label : "my-function";
}

}  // namespace

bool is_host_label(std::string_view name) {
  return !name.empty() && name.size() <= 63 && name.front() != '-' && name.back() != '-' &&
         std::ranges::all_of(name, [](char c) { return is_lower_or_digit(c) || c == '-'; }) &&
         !is_reserved(name);
}

Result<Done> check_deploy_name(std::string_view name) {
  if (is_host_label(name)) return Done{};
  std::string why =
      "may hold only lower-case letters, digits and '-', neither first nor last a '-'";
  if (name.empty()) why = "is empty";
  if (name.size() > 63) why = "is longer than 63 characters";
  if (is_reserved(name)) why = "is reserved for the server itself";
  return fail(ErrorCode::invalid,
              "the name \"{}\" cannot be part of the function's URL: it {}. Choose another, for "
              "example \"{}\"",
              name, why, suggest_label(name));
}

Result<Done> check_deploy_message(std::string_view message) {
  const auto length = count_characters(message);
  if (length <= kMaxDeployMessage) return Done{};
  return fail(ErrorCode::invalid,
              "the message about this version has {} characters; at most {} are kept: shorten it",
              length, kMaxDeployMessage);
}

Result<Done> check_log_size(std::int64_t megabytes) {
  if (megabytes >= kLogSizeRange.least && megabytes <= kLogSizeRange.most) return Done{};
  return fail(ErrorCode::invalid, "a function's log is kept to {} to {} MB, not {}",
              kLogSizeRange.least, kLogSizeRange.most, megabytes);
}

Result<Done> check_log_age(std::int64_t seconds) {
  if (seconds == 0) return Done{};
  if (seconds >= kLogAgeRange.least && seconds <= kLogAgeRange.most) return Done{};
  return fail(
      ErrorCode::invalid,
      "lines of a log are kept for {} seconds to {} (ten years), or whatever their age (0), "
      "not for {}",
      kLogAgeRange.least, kLogAgeRange.most, seconds);
}

Result<Done> check_runtime_name(std::string_view name, const std::vector<std::string>& known) {
  if (std::ranges::find(known, name) != known.end()) return Done{};
  auto near = nearest_word(name, known);
  // "node" means the newest.
  if (near.empty() && name.size() > 1) {
    for (const auto& each : known) {
      if (each.starts_with(name)) near = std::max(near, each);
    }
  }
  return fail(ErrorCode::invalid, "there is no runtime \"{}\"{} There are {}", name,
              near.empty() ? "." : fmt::format("; did you mean \"{}\"?", near),
              fmt::join(known, ", "));
}

std::optional<unsigned> cpu_thousandths(double cpus) {
  constexpr double least = 0.05;
  constexpr double most = 64;
  if (cpus == 0) return 0U;
  if (!(cpus >= least && cpus <= most)) return std::nullopt;
  return static_cast<unsigned>(std::lround(cpus * 1000));
}

}  // namespace lambda
