// What a function wants of its asynchronous events: AWS's EventInvokeConfig, for a qualifier
// ("$LATEST", a number, an alias).
//
// Threads: find(), list() and keep_only() on any; load() while starting; put() and remove() on the
// store thread, inside a transaction whose success publish() is called after.
#pragma once

#include "base/clock.h"
#include "function/catalog.h"

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace SQLite {  // NOLINT(readability-identifier-naming): the name is the library's
class Database;
}

namespace lambda::events {

struct InvokeConfig {
  std::optional<int> max_retries;      // 0..2; absent: 2
  std::optional<int> max_age_seconds;  // 60..21600; absent: 21600
  std::string on_success;              // a function's ARN, or an http(s) address; "": nothing
  std::string on_failure;
  WallTime modified{};
  bool operator==(const InvokeConfig&) const = default;
};

class InvokeConfigs {
 public:
  explicit InvokeConfigs(function::Tenant tenant) : tenant_(std::move(tenant)) {}

  void load(SQLite::Database& database);
  [[nodiscard]] std::optional<InvokeConfig> find(std::string_view function,
                                                 std::string_view qualifier) const;
  // What events obey that follow `live`: its own, else the draft's.
  struct InEffect {
    std::string qualifier;
    InvokeConfig config;
  };
  [[nodiscard]] std::optional<InEffect> in_effect(std::string_view function) const;
  // Of all qualifiers.
  [[nodiscard]] std::map<std::string, InvokeConfig> list(std::string_view function) const;

  void put(SQLite::Database& database, const std::string& function, const std::string& qualifier,
           const InvokeConfig& config) const;
  void remove(SQLite::Database& database, const std::string& function,
              const std::string& qualifier) const;
  // After the commit: what readers see. nullopt: removed.
  void publish(const std::string& function, const std::string& qualifier,
               std::optional<InvokeConfig> config);
  // With a function, a version, an alias its configurations are gone (their rows go by themselves).
  void keep_only(const function::Snapshot& known);

 private:
  using Key = std::pair<std::string, std::string>;
  function::Tenant tenant_;
  mutable std::mutex mutex_;  // held for a look or a change of the map alone
  std::map<Key, InvokeConfig> configs_;
};

}  // namespace lambda::events
