#include "function/secret_users.h"

#include <algorithm>
#include <set>

namespace lambda::function {
namespace {

bool asks_for(const Version& version, std::string_view name) {
  return version.configuration.secrets.contains(std::string(name));
}

// $LATEST, which AWS's tools call, and all that aliases name.
std::set<std::uint64_t> numbers_in_use(const Function& function) {
  std::set<std::uint64_t> numbers{0};
  for (const auto& [name, alias] : function.aliases) {
    numbers.insert(alias.version);
    if (alias.additional) numbers.insert(alias.additional->first);
  }
  return numbers;
}

}  // namespace

std::vector<std::string> users_of_secret(const Snapshot& now, std::string_view function,
                                         std::string_view name) {
  if (!function.empty()) return {std::string(function)};
  std::vector<std::string> users;
  for (const auto& [user, known] : now.functions) {
    const auto uses = [&of = *known, name](std::uint64_t number) {
      const auto version = of.version(number);
      return version && asks_for(*version, name);
    };
    if (std::ranges::any_of(numbers_in_use(*known), uses)) users.push_back(user);
  }
  return users;
}

std::map<std::string, std::vector<std::uint64_t>> resting_users_of_secret(const Snapshot& now,
                                                                          std::string_view function,
                                                                          std::string_view name) {
  std::map<std::string, std::vector<std::uint64_t>> users;
  if (!function.empty()) return users;
  for (const auto& [user, known] : now.functions) {
    const auto in_use = numbers_in_use(*known);
    for (const auto& [number, version] : known->versions) {
      if (!in_use.contains(number) && asks_for(*version, name)) users[user].push_back(number);
    }
  }
  return users;
}

std::vector<VersionPtr> versions_with_secret(const Snapshot& now, std::string_view function,
                                             std::string_view name) {
  std::vector<VersionPtr> versions;
  for (const auto& [user, known] : now.functions) {
    if (!function.empty() && user != function) continue;
    const auto offer = [&](const VersionPtr& version) {
      if (!function.empty() || asks_for(*version, name)) versions.push_back(version);
    };
    offer(known->latest);
    for (const auto& [number, version] : known->versions) offer(version);
  }
  return versions;
}

std::vector<std::string> hidden_variables(const Configuration& configuration,
                                          const std::vector<Secret>& secrets) {
  std::vector<std::string> hidden;
  if (!configuration.environment) return hidden;
  for (const auto& secret : secrets) {
    if (secret.form == SecretForm::environment && configuration.environment->contains(secret.name))
      hidden.push_back(secret.name);
  }
  return hidden;
}

}  // namespace lambda::function
