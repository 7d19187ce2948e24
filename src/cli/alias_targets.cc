#include "cli/alias_targets.h"

#include "cli/connection/json_fields.h"
#include "cli/live_share.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>
#include <cmath>
#include <utility>

namespace lambda::cli {
namespace {

struct Weighted {
  std::string version;
  std::optional<double> percent;
};

bool is_version(const std::string& text) {
  return text == "$LATEST" || (!text.empty() && text.size() < 16 && text.front() != '0' &&
                               text.find_first_not_of("0123456789") == std::string::npos);
}

std::optional<double> percent_in(std::string text) {
  if (text.ends_with('%')) text.pop_back();
  double percent = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), percent, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !(percent >= 0 && percent <= 100))
    return std::nullopt;
  return percent;
}

Result<Weighted> parse(const std::string& word) {
  const auto equals = word.find('=');
  Weighted weighted{word.substr(0, equals), std::nullopt};
  if (!is_version(weighted.version)) {
    return fail(ErrorCode::invalid,
                "\"{}\" is no version: write 7, or 7=90 8=10 (`lambda versions NAME` shows them)",
                weighted.version);
  }
  if (equals == std::string::npos) return weighted;
  weighted.percent = percent_in(word.substr(equals + 1));
  if (!weighted.percent) {
    return fail(ErrorCode::invalid, "{}: the weight must be a number from 0 to 100, in per cent",
                word);
  }
  return weighted;
}

}  // namespace

Result<Done> check_alias_name(const std::string& name) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  const bool good = !name.empty() && name.size() <= 128 &&
                    name.find_first_not_of(kLetters) == std::string::npos &&
                    name.find_first_not_of("0123456789") != std::string::npos;
  if (good) return Done{};
  const bool versions = parse(name).has_value();
  return fail(ErrorCode::invalid,
              "\"{}\" cannot be an alias's name: that is letters, digits, '-' and '_', and not "
              "digits alone{}",
              name,
              versions ? ". Did you leave the alias out? lambda alias set NAME live " + name : "");
}

Result<AliasTargets> parse_alias_targets(const std::vector<std::string>& words,
                                         const std::string& first) {
  if (words.size() > 2) {
    return fail(ErrorCode::invalid,
                "{} versions: an alias points to one, or is shared by two, such as 7=90 8=10",
                words.size());
  }
  std::vector<Weighted> all;
  for (const auto& word : words) {
    auto weighted = parse(word);
    if (!weighted) return fail(std::move(weighted.error()));
    all.push_back(std::move(*weighted));
  }
  if (all.size() == 1) {
    if (all[0].percent.value_or(100) != 100) {
      return fail(
          ErrorCode::invalid,
          "{} leaves {:g} % of the calls to no version: name a second one, such as {} N={:g}",
          words[0], 100 - *all[0].percent, words[0], 100 - *all[0].percent);
    }
    return AliasTargets{all[0].version, std::nullopt, 0};
  }
  if (all[0].version == all[1].version)
    return fail(ErrorCode::invalid, "version {} stands twice", all[0].version);
  for (auto& each : all) {
    if (each.version == "$LATEST") {
      return fail(ErrorCode::invalid,
                  "$LATEST changes, and cannot share calls: publish it with `lambda promote`");
    }
    if (!each.percent) {
      return fail(ErrorCode::invalid,
                  "version {} has no weight: of two versions both have one, such as 7=90 8=10",
                  each.version);
    }
  }
  const double sum = *all[0].percent + *all[1].percent;
  if (std::abs(sum - 100) > 1e-6)
    return fail(ErrorCode::invalid, "the weights add up to {:g}, not to 100", sum);
  // Who gets no calls at all is none of the two.
  for (const auto& each : all) {
    if (*each.percent == 100) return AliasTargets{each.version, std::nullopt, 0};
  }
  if (all[1].version == first) std::swap(all[0], all[1]);
  return AliasTargets{all[0].version, all[1].version, *all[1].percent / 100};
}

std::string alias_text(const boost::json::object& alias) {
  auto version = text_in(alias, "version");
  const auto share = share_of_alias(alias);
  if (!share) return version;
  return fmt::format("{} {}, {} {}", version, share->rest, share->version, share->percent);
}

}  // namespace lambda::cli
