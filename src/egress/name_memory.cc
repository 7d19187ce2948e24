#include "egress/name_memory.h"

#include <algorithm>

namespace lambda::egress {

void NameMemory::note(const std::string& name, const Result<Addresses>& found,
                      std::chrono::steady_clock::duration took, SteadyTime now) {
  auto& known = names_[name];
  known.standing = found && took < kQuick ? Standing::good : Standing::bad;
  known.addresses = found && found->size() <= kMostAddresses ? *found : Addresses();
  known.noted = now;
  if (names_.size() > kMostNames) forget_oldest();
}

void NameMemory::forget_oldest() {
  names_.erase(
      std::ranges::min_element(names_, {}, [](const auto& entry) { return entry.second.noted; }));
}

void NameMemory::forget_addresses(std::string_view name) {
  if (const auto known = names_.find(name); known != names_.end()) known->second.addresses.clear();
}

Standing NameMemory::standing(std::string_view name) const {
  const auto known = names_.find(name);
  return known == names_.end() ? Standing::fresh : known->second.standing;
}

std::optional<Addresses> NameMemory::addresses(std::string_view name, SteadyTime now) const {
  const auto known = names_.find(name);
  if (known == names_.end() || known->second.addresses.empty()) return std::nullopt;
  if (now - known->second.noted >= kAddressesKnown) return std::nullopt;
  return known->second.addresses;
}

}  // namespace lambda::egress
