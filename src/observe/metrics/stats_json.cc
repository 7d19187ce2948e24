#include "observe/metrics/stats_json.h"

#include "base/time_text.h"

#include <cmath>

namespace lambda::observe {
namespace {

namespace json = boost::json;
using std::chrono::microseconds;

double ms(microseconds time) {
  return static_cast<double>(time.count()) / 1000.0;
}

std::string iso_z(WallTime time) {
  return format_iso(time) + "Z";
}

template <class Counts, class Names>
json::object by_name(const Counts& counts, const Names& names) {
  json::object object;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] != 0) object[names[i]] = counts[i];
  }
  return object;
}

void add_quantiles(json::object& object, const Histogram& times) {
  object["p50"] = ms(times.quantile(0.5));
  object["p90"] = ms(times.quantile(0.9));
  object["p99"] = ms(times.quantile(0.99));
}

json::object times_json(const Histogram& times) {
  json::object object;
  object["count"] = times.count();
  object["mean"] = times.count() == 0 ? 0.0 : ms(times.sum()) / static_cast<double>(times.count());
  add_quantiles(object, times);
  return object;
}

void add_totals(json::object& object, const CallTotals& totals) {
  object["invocations"] = totals.invocations;
  object["errorCount"] = totals.error_count();
  object["errors"] = by_name(totals.errors, kCallErrorNames);
  object["throttleCount"] = totals.throttle_count();
  object["throttles"] = by_name(totals.throttles, kThrottleNames);
  object["coldStarts"] = totals.cold_starts;
  object["memoryPeak"] = totals.memory_peak_bytes;
  object["duration"] = times_json(totals.duration);
  object["init"] = times_json(totals.init);
  auto& answers = object["httpCodes"].emplace_object();
  for (const auto& [status, count] : totals.answers.cells())
    answers[StatusCounts::name_of(status)] = count;
}

json::object window_json(const RecentCalls& recent, std::chrono::seconds length,
                         RecentCalls::Time now) {
  const auto window = recent.last(length, now);
  json::object object;
  object["invocations"] = window.counts.invocations;
  object["perSecond"] =
      static_cast<double>(window.counts.invocations) / static_cast<double>(length.count());
  object["errors"] = window.counts.errors;
  object["throttles"] = window.counts.throttles;
  object["coldStarts"] = window.counts.cold_starts;
  add_quantiles(object, window.duration);
  return object;
}

json::object instances_json(const InstanceCounts& counts) {
  return {{"starting", counts.starting},
          {"idle", counts.idle},
          {"frozen", counts.frozen},
          {"busy", counts.busy},
          {"ending", counts.ending}};
}

void add_now(json::object& object, const InstanceCounts& counts, std::uint64_t in_flight) {
  object["inFlight"] = in_flight;
  object["waiting"] = counts.waiting_calls;
  object["instances"] = instances_json(counts);
  object["memory"] = counts.memory_bytes;
}

json::object queue_json(const QueueGauges& queue) {
  json::object object{{"waiting", queue.waiting}, {"running", queue.running}, {"dead", queue.dead}};
  if (queue.oldest) {
    object["oldest"] = iso_z(*queue.oldest);
  } else {
    object["oldest"] = nullptr;
  }
  return object;
}

json::object seconds_json(const RecentCalls& recent, RecentCalls::Time now) {
  json::array invocations, errors;
  for (const auto& second : recent.each_second(now)) {
    invocations.emplace_back(second.invocations);
    errors.emplace_back(second.errors);
  }
  return {{"invocations", std::move(invocations)}, {"errors", std::move(errors)}};
}

json::object minutes_json(const RecentCalls& recent, RecentCalls::Time now) {
  json::array invocations, errors, throttles, p50, p99;
  for (const auto& minute : recent.each_minute(now)) {
    invocations.emplace_back(minute.counts.invocations);
    errors.emplace_back(minute.counts.errors);
    throttles.emplace_back(minute.counts.throttles);
    p50.emplace_back(ms(minute.p50));
    p99.emplace_back(ms(minute.p99));
  }
  return {{"invocations", std::move(invocations)},
          {"errors", std::move(errors)},
          {"throttles", std::move(throttles)},
          {"p50", std::move(p50)},
          {"p99", std::move(p99)}};
}

void add_recent(json::object& object, const RecentCalls& recent, RecentCalls::Time now) {
  object["lastMinute"] = window_json(recent, std::chrono::minutes(1), now);
  object["lastFiveMinutes"] = window_json(recent, std::chrono::minutes(5), now);
  object["lastHour"] = window_json(recent, std::chrono::hours(1), now);
  object["seconds"] = seconds_json(recent, now);
  object["minutes"] = minutes_json(recent, now);
}

json::object header(const Scene& scene) {
  json::object object;
  object["time"] = iso_z(scene.time);
  object["started"] = iso_z(scene.facts.started);
  object["uptime"] = std::floor(scene.facts.uptime.count());
  return object;
}

std::uint64_t in_flight(const Scene& scene, const std::string& function) {
  const auto found = scene.gauges.in_flight.find(function);
  return found == scene.gauges.in_flight.end() ? 0 : found->second;
}

const CallBook::OfFunction& of(const CallBook& book, const std::string& function) {
  static const CallBook::OfFunction none;
  const auto* found = book.function(function);
  return found == nullptr ? none : *found;
}

json::object server_json(const Scene& scene) {
  json::object object;
  add_totals(object, scene.book.server().totals);
  add_recent(object, scene.book.server().recent, scene.now);
  InstanceCounts all;
  std::uint64_t running = 0;
  QueueGauges queue;
  for (const auto& [key, counts] : scene.gauges.instances) all.add(counts);
  for (const auto& [function, count] : scene.gauges.in_flight) running += count;
  for (const auto& [function, one] : scene.queues) {
    queue.waiting += one.waiting;
    queue.running += one.running;
    queue.dead += one.dead;
    if (one.oldest && (!queue.oldest || *one.oldest < *queue.oldest)) queue.oldest = one.oldest;
  }
  add_now(object, all, running);
  object["queue"] = queue_json(queue);
  object["maxInstances"] = scene.facts.most_instances;
  object["connections"] = scene.facts.connections;
  object["cpuSeconds"] = scene.facts.process.cpu_seconds;
  object["residentMemory"] = scene.facts.process.resident_bytes;
  return object;
}

// A line of the list: what a table shows, and a chart of the last minute where there was a call.
json::object line_json(const Scene& scene, const std::string& function) {
  const auto& known = of(scene.book, function);
  json::object object;
  object["name"] = function;
  add_totals(object, known.totals);
  object["lastMinute"] = window_json(known.recent, std::chrono::minutes(1), scene.now);
  object["lastFiveMinutes"] = window_json(known.recent, std::chrono::minutes(5), scene.now);
  const auto last = known.recent.last(std::chrono::minutes(1), scene.now).counts;
  if (last.invocations > 0) object["seconds"] = seconds_json(known.recent, scene.now);
  add_now(object, scene.gauges.of_function(function), in_flight(scene, function));
  const auto queue = scene.queues.find(function);
  object["queue"] = queue_json(queue == scene.queues.end() ? QueueGauges() : queue->second);
  return object;
}

}  // namespace

json::object stats_json(const Scene& scene, const std::vector<std::string>& functions) {
  auto object = header(scene);
  object["server"] = server_json(scene);
  auto& list = object["functions"].emplace_array();
  for (const auto& function : functions) list.push_back(line_json(scene, function));
  return object;
}

json::object function_stats_json(const Scene& scene, const std::string& function) {
  const auto& known = of(scene.book, function);
  auto object = header(scene);
  object["name"] = function;
  add_totals(object, known.totals);
  add_recent(object, known.recent, scene.now);
  add_now(object, scene.gauges.of_function(function), in_flight(scene, function));
  const auto queue = scene.queues.find(function);
  object["queue"] = queue_json(queue == scene.queues.end() ? QueueGauges() : queue->second);
  auto& versions = object["versions"].emplace_array();
  for (const auto& [version, totals] : known.versions) {
    json::object item{{"version", version}};
    add_totals(item, totals);
    const auto counts = scene.gauges.instances.find({function, version});
    item["instances"] =
        instances_json(counts == scene.gauges.instances.end() ? InstanceCounts() : counts->second);
    versions.push_back(std::move(item));
  }
  return object;
}

}  // namespace lambda::observe
