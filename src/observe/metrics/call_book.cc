#include "observe/metrics/call_book.h"

#include <utility>

namespace lambda::observe {

// Null: there is no room for another.
CallTotals* CallBook::version_totals(OfFunction& function, const std::string& version) {
  if (const auto found = function.versions.find(version); found != function.versions.end())
    return &found->second;
  if (series_ >= most_series_) return nullptr;
  ++series_;
  return &function.versions[version];
}

void CallBook::add(const CallSample& sample) {
  server_.totals.add(sample);
  server_.recent.add(sample);
  changed_.emplace();
  const auto& [name, version] = *sample.series;
  auto found = functions_.find(name);
  if (found == functions_.end() && series_ < most_series_)
    found = functions_.try_emplace(name).first;
  if (found == functions_.end()) {
    other_.add(sample);
    other_changed_ = true;
    return;
  }
  auto& function = found->second;
  function.totals.add(sample);
  function.recent.add(sample);
  changed_.insert(name);
  if (auto* totals = version_totals(function, version)) {
    totals->add(sample);
    function.changed.insert(version);
  } else {
    other_.add(sample);
    other_changed_ = true;
  }
}

const CallBook::OfFunction* CallBook::function(const std::string& name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : &found->second;
}

void CallBook::forget(const std::string& function) {
  const auto found = functions_.find(function);
  if (found == functions_.end()) return;
  series_ -= found->second.versions.size();
  functions_.erase(found);
  changed_.erase(function);
}

void CallBook::keep_only(const Exists& exists, RecentCalls::Time now) {
  server_.recent.forget_old(now);
  for (auto at = functions_.begin(); at != functions_.end();) {
    auto& [name, function] = *at;
    function.recent.forget_old(now);
    series_ -= std::erase_if(function.versions,
                             [&](const auto& version) { return !exists(name, version.first); });
    std::erase_if(function.changed,
                  [&](const auto& version) { return !function.versions.contains(version); });
    if (exists(name, {})) {
      ++at;
      continue;
    }
    series_ -= function.versions.size();
    changed_.erase(name);
    at = functions_.erase(at);
  }
}

// --- on disk

std::vector<CallBook::Row> CallBook::take_changes() {
  std::vector<Row> rows;
  for (const auto& name : std::exchange(changed_, {})) {
    if (name.empty()) {
      rows.emplace_back(Row{{}, {}, to_text(server_.totals)});
      continue;
    }
    const auto found = functions_.find(name);
    if (found == functions_.end()) continue;
    rows.emplace_back(Row{name, {}, to_text(found->second.totals)});
    for (const auto& version : std::exchange(found->second.changed, {}))
      rows.emplace_back(Row{name, version, to_text(found->second.versions[version])});
  }
  if (std::exchange(other_changed_, false))
    rows.emplace_back(Row{{}, std::string(kOtherRow), to_text(other_)});
  return rows;
}

void CallBook::put_back(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    if (row.function.empty() && !row.version.empty()) {
      other_changed_ = true;
    } else if (const auto found = functions_.find(row.function);
               row.function.empty() || found != functions_.end()) {
      changed_.insert(row.function);
      if (!row.version.empty() && found->second.versions.contains(row.version))
        found->second.changed.insert(row.version);
    }
  }
}

Result<Done> CallBook::restore(const Row& row) {
  auto totals = totals_from_text(row.totals);
  if (!totals) return fail(std::move(totals.error()));
  if (row.function.empty()) {
    (row.version.empty() ? server_.totals : other_) = std::move(*totals);
  } else if (row.version.empty()) {
    functions_[row.function].totals = std::move(*totals);
  } else if (auto* kept = version_totals(functions_[row.function], row.version)) {
    *kept = std::move(*totals);
  }
  return Done{};
}

}  // namespace lambda::observe
