#include "observe/metrics/families.h"

#include <prometheus/text_serializer.h>
#include <sstream>
#include <vector>

namespace lambda::observe {
namespace {

double seconds_of(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

Family::Family(const char* name, const char* help, prometheus::MetricType type) {
  family_.name = name;
  family_.help = help;
  family_.type = type;
}

prometheus::ClientMetric& Family::add(Labels labels) {
  auto& metric = family_.metric.emplace_back();
  for (const auto& [name, value] : labels) {
    auto& label = metric.label.emplace_back();
    label.name = name;
    label.value = value;
  }
  return metric;
}

void Family::counter(Labels labels, std::uint64_t value) {
  counter_of(labels, static_cast<double>(value));
}

void Family::counter_of(Labels labels, double value) {
  add(labels).counter.value = value;
}

void Family::gauge(Labels labels, double value) {
  add(labels).gauge.value = value;
}

void Family::histogram(Labels labels, const Histogram& values) {
  auto& histogram = add(labels).histogram;
  histogram.sample_count = values.count();
  histogram.sample_sum = seconds_of(values.sum());
  const auto& bounds = bucket_bounds();
  auto cell = values.cells().begin();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    for (; cell != values.cells().end() && cell->first <= i; ++cell) below += cell->second;
    if (i % kBucketsPerOctave != 0 && i + 1 != bounds.size()) continue;
    auto& bucket = histogram.bucket.emplace_back();
    bucket.upper_bound = seconds_of(bounds[i]);
    bucket.cumulative_count = below;
  }
}

Family counters(const char* name, const char* help) {
  return Family(name, help, prometheus::MetricType::Counter);
}
Family gauges(const char* name, const char* help) {
  return Family(name, help, prometheus::MetricType::Gauge);
}
Family histograms(const char* name, const char* help) {
  return Family(name, help, prometheus::MetricType::Histogram);
}

FamilyText& FamilyText::operator<<(const Family& family) {
  if (family.made().metric.empty()) return *this;
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, {family.made()});
  text_ += std::move(out).str();
  return *this;
}

}  // namespace lambda::observe
