#include "observe/metrics/call_totals.h"

#include <boost/json.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace lambda::observe {
namespace {

namespace json = boost::json;
using std::chrono::microseconds;

template <class Counts, class Names>
json::object counts_json(const Counts& counts, const Names& names) {
  json::object object;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] != 0) object[names[i]] = counts[i];
  }
  return object;
}

std::uint64_t number(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  boost::system::error_code error;
  return value == nullptr ? 0 : value->to_number<std::uint64_t>(error);
}

template <class Counts, class Names>
void read_counts(const json::object& object, std::string_view member, const Names& names,
                 Counts& counts) {
  const auto* found = object.if_contains(member);
  if (found == nullptr || !found->is_object()) return;
  for (std::size_t i = 1; i < counts.size(); ++i) counts[i] = number(found->get_object(), names[i]);
}

// {"sum": microseconds, "cells": [bucket, count, bucket, count ...]}
json::object histogram_json(const Histogram& histogram) {
  json::array cells;
  for (const auto& [bucket, count] : histogram.cells()) {
    cells.emplace_back(bucket);
    cells.emplace_back(count);
  }
  return {{"sum", histogram.sum().count()}, {"cells", std::move(cells)}};
}

Histogram read_histogram(const json::object& object, std::string_view member) {
  Histogram histogram;
  const auto* found = object.if_contains(member);
  if (found == nullptr || !found->is_object()) return histogram;
  microseconds sum(static_cast<std::int64_t>(number(found->get_object(), "sum")));
  const auto* cells = found->get_object().if_contains("cells");
  if (cells == nullptr || !cells->is_array()) return histogram;
  const auto& numbers = cells->get_array();
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) {
    boost::system::error_code error;
    const auto bucket = numbers[i].to_number<std::uint64_t>(error);
    const auto count = numbers[i + 1].to_number<std::uint64_t>(error);
    if (error) continue;
    histogram.add_to(bucket, count, std::exchange(sum, microseconds(0)));
  }
  return histogram;
}

// [status, count, status, count ...]
json::array answers_json(const StatusCounts& answers) {
  json::array cells;
  for (const auto& [status, count] : answers.cells()) {
    cells.emplace_back(status);
    cells.emplace_back(count);
  }
  return cells;
}

StatusCounts read_answers(const json::object& object, std::string_view member) {
  StatusCounts answers;
  const auto* found = object.if_contains(member);
  if (found == nullptr || !found->is_array()) return answers;
  const auto& numbers = found->get_array();
  for (std::size_t i = 0; i + 1 < numbers.size(); i += 2) {
    boost::system::error_code error;
    const auto status = numbers[i].to_number<std::uint16_t>(error);
    if (error) continue;
    const auto count = numbers[i + 1].to_number<std::uint64_t>(error);
    if (!error) answers.add(status, count);
  }
  return answers;
}

}  // namespace

void StatusCounts::add(std::uint16_t status, std::uint64_t count) {
  if (count == 0) return;
  auto at = std::ranges::lower_bound(cells_, status, {}, &Cell::first);
  const bool known = at != cells_.end() && at->first == status;
  constexpr std::uint16_t kHundred = 100;  // what is less is a class
  const auto statuses = cells_.end() - std::ranges::lower_bound(cells_, kHundred, {}, &Cell::first);
  if (!known && status >= kHundred && static_cast<std::size_t>(statuses) >= kMostStatuses)
    return add(static_cast<std::uint16_t>(status / kHundred), count);
  if (!known) at = cells_.insert(at, Cell(status, 0));
  at->second += count;
}

std::string StatusCounts::name_of(std::uint16_t status) {
  const bool is_class = status > 0 && status < 10;
  return std::to_string(status) + (is_class ? "xx" : "");
}

void CallTotals::add(const CallSample& sample) {
  if (sample.answer) {
    answers.add(*sample.answer);
    return;
  }
  if (sample.throttle != Throttle::none) {
    ++throttles[index(sample.throttle)];
    return;
  }
  ++invocations;
  if (sample.error != CallError::none) ++errors[index(sample.error)];
  if (sample.cold) ++cold_starts;
  if (sample.duration) duration.add(*sample.duration);
  if (sample.init) init.add(*sample.init);
  memory_peak_bytes = std::max(memory_peak_bytes, sample.memory_peak_bytes);
}

std::uint64_t CallTotals::error_count() const {
  return std::accumulate(errors.begin(), errors.end(), std::uint64_t{0});
}

std::uint64_t CallTotals::throttle_count() const {
  return std::accumulate(throttles.begin(), throttles.end(), std::uint64_t{0});
}

std::string to_text(const CallTotals& totals) {
  json::object object;
  object["invocations"] = totals.invocations;
  object["errors"] = counts_json(totals.errors, kCallErrorNames);
  object["throttles"] = counts_json(totals.throttles, kThrottleNames);
  object["coldStarts"] = totals.cold_starts;
  object["memoryPeak"] = totals.memory_peak_bytes;
  object["duration"] = histogram_json(totals.duration);
  object["init"] = histogram_json(totals.init);
  object["answers"] = answers_json(totals.answers);
  return json::serialize(object);
}

Result<CallTotals> totals_from_text(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object())
    return fail(ErrorCode::invalid, "the kept totals are no JSON object: {}", error.message());
  const auto& object = value.get_object();
  CallTotals totals;
  totals.invocations = number(object, "invocations");
  read_counts(object, "errors", kCallErrorNames, totals.errors);
  read_counts(object, "throttles", kThrottleNames, totals.throttles);
  totals.cold_starts = number(object, "coldStarts");
  totals.memory_peak_bytes = number(object, "memoryPeak");
  totals.duration = read_histogram(object, "duration");
  totals.init = read_histogram(object, "init");
  totals.answers = read_answers(object, "answers");
  return totals;
}

}  // namespace lambda::observe
