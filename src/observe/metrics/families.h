// Families of metrics on their way to Prometheus: a name, a help text, and a value for each set of
// labels. One thread.
#pragma once

#include "observe/metrics/histogram.h"

#include <cstdint>
#include <initializer_list>
#include <prometheus/metric_family.h>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::observe {

using Labels = std::initializer_list<std::pair<const char*, std::string_view>>;

class Family {
 public:
  Family(const char* name, const char* help, prometheus::MetricType type);

  void counter(Labels labels, std::uint64_t value);
  void counter_of(Labels labels, double value);
  void gauge(Labels labels, double value);
  void gauge_of(Labels labels, std::uint64_t value) { gauge(labels, static_cast<double>(value)); }
  // Every octave's bound: kBucketsPerOctave buckets of ours are one of Prometheus's.
  void histogram(Labels labels, const Histogram& values);

  [[nodiscard]] const prometheus::MetricFamily& made() const { return family_; }

 private:
  prometheus::ClientMetric& add(Labels labels);
  prometheus::MetricFamily family_;
};

[[nodiscard]] Family counters(const char* name, const char* help);
[[nodiscard]] Family gauges(const char* name, const char* help);
[[nodiscard]] Family histograms(const char* name, const char* help);

// Families as text, one after the other, so that only one at a time is held. One that has no value
// is left out.
class FamilyText {
 public:
  FamilyText& operator<<(const Family& family);
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace lambda::observe
