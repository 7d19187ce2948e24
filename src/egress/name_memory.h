// NameMemory: what the last look-ups of names came to. A name is good where its last one went well
// and quickly, bad where it failed or took long, new where nothing is known of it. Addresses are
// known for a minute. Holds so many names, then forgets the one looked up longest ago. One thread.
#pragma once

#include "base/clock.h"
#include "egress/system_addresses.h"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::egress {

enum class Standing { good, fresh, bad };

class NameMemory {
 public:
  static constexpr std::size_t kMostNames = 1'024;
  static constexpr std::size_t kMostAddresses = 32;  // a name that has more is looked up each time
  static constexpr std::chrono::seconds kAddressesKnown{60};
  static constexpr std::chrono::seconds kQuick{2};

  void note(const std::string& name, const Result<Addresses>& found,
            std::chrono::steady_clock::duration took, SteadyTime now);
  void forget_addresses(std::string_view name);
  [[nodiscard]] Standing standing(std::string_view name) const;
  [[nodiscard]] std::optional<Addresses> addresses(std::string_view name, SteadyTime now) const;
  [[nodiscard]] std::size_t size() const { return names_.size(); }

 private:
  struct Known {
    Standing standing = Standing::fresh;
    Addresses addresses;  // none: they are not known
    SteadyTime noted;
  };
  void forget_oldest();

  std::map<std::string, Known, std::less<>> names_;
};

}  // namespace lambda::egress
