#include "events/queue/invoke_config.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>

namespace lambda::events {
namespace {

std::optional<int> number_at(SQLite::Statement& row, int column) {
  const auto value = row.getColumn(column);
  if (value.isNull()) return std::nullopt;
  return value.getInt();
}

void bind_number(SQLite::Statement& statement, int index, const std::optional<int>& number) {
  if (number) statement.bind(index, *number);
}

bool has_qualifier(const function::Function& function, const std::string& qualifier) {
  if (qualifier == "$LATEST" || function.aliases.contains(qualifier)) return true;
  return std::ranges::any_of(function.versions, [&qualifier](const auto& entry) {
    return std::to_string(entry.first) == qualifier;
  });
}

}  // namespace

void InvokeConfigs::load(SQLite::Database& database) {
  SQLite::Statement rows(database,
                         "SELECT function, qualifier, max_retries, max_age, on_success, "
                         "on_failure, modified FROM event_invoke_configs WHERE account = ? AND "
                         "region = ?");
  rows.bind(1, tenant_.account);
  rows.bind(2, tenant_.region);
  const std::lock_guard guard(mutex_);
  while (rows.executeStep()) {
    InvokeConfig config;
    config.max_retries = number_at(rows, 2);
    config.max_age_seconds = number_at(rows, 3);
    config.on_success = rows.getColumn(4).getString();
    config.on_failure = rows.getColumn(5).getString();
    config.modified = WallTime(std::chrono::milliseconds(rows.getColumn(6).getInt64()));
    configs_[{rows.getColumn(0).getString(), rows.getColumn(1).getString()}] = std::move(config);
  }
}

std::optional<InvokeConfig> InvokeConfigs::find(std::string_view function,
                                                std::string_view qualifier) const {
  const std::lock_guard guard(mutex_);
  const auto found = configs_.find({std::string(function), std::string(qualifier)});
  if (found == configs_.end()) return std::nullopt;
  return found->second;
}

std::optional<InvokeConfigs::InEffect> InvokeConfigs::in_effect(std::string_view function) const {
  for (const std::string_view qualifier : {function::kLiveAlias, std::string_view("$LATEST")}) {
    if (auto config = find(function, qualifier))
      return InEffect{std::string(qualifier), std::move(*config)};
  }
  return std::nullopt;
}

std::map<std::string, InvokeConfig> InvokeConfigs::list(std::string_view function) const {
  std::map<std::string, InvokeConfig> listed;
  const std::lock_guard guard(mutex_);
  for (auto at = configs_.lower_bound({std::string(function), ""});
       at != configs_.end() && at->first.first == function; ++at) {
    listed.emplace(at->first.second, at->second);
  }
  return listed;
}

void InvokeConfigs::put(SQLite::Database& database, const std::string& function,
                        const std::string& qualifier, const InvokeConfig& config) const {
  SQLite::Statement put(database,
                        "INSERT OR REPLACE INTO event_invoke_configs (account, region, function, "
                        "qualifier, max_retries, max_age, on_success, on_failure, modified) VALUES "
                        "(?, ?, ?, ?, ?, ?, ?, ?, ?)");
  put.bind(1, tenant_.account);
  put.bind(2, tenant_.region);
  put.bind(3, function);
  put.bind(4, qualifier);
  bind_number(put, 5, config.max_retries);
  bind_number(put, 6, config.max_age_seconds);
  put.bind(7, config.on_success);
  put.bind(8, config.on_failure);
  put.bind(9, config.modified.time_since_epoch().count());
  put.exec();
}

void InvokeConfigs::remove(SQLite::Database& database, const std::string& function,
                           const std::string& qualifier) const {
  SQLite::Statement remove(database,
                           "DELETE FROM event_invoke_configs WHERE account = ? AND region = ? AND "
                           "function = ? AND qualifier = ?");
  remove.bind(1, tenant_.account);
  remove.bind(2, tenant_.region);
  remove.bind(3, function);
  remove.bind(4, qualifier);
  remove.exec();
}

void InvokeConfigs::publish(const std::string& function, const std::string& qualifier,
                            std::optional<InvokeConfig> config) {
  const std::lock_guard guard(mutex_);
  if (config) {
    configs_[{function, qualifier}] = std::move(*config);
  } else {
    configs_.erase({function, qualifier});
  }
}

void InvokeConfigs::keep_only(const function::Snapshot& known) {
  const std::lock_guard guard(mutex_);
  std::erase_if(configs_, [&known](const auto& entry) {
    const auto& [function, qualifier] = entry.first;
    const auto found = known.functions.find(function);
    return found == known.functions.end() || !has_qualifier(*found->second, qualifier);
  });
}

}  // namespace lambda::events
