// In order: the server, HTTP, what happens by itself, then calls by function and version.
#include "observe/metrics/prometheus_text.h"

#include "observe/metrics/families.h"

#include <array>
#include <fmt/format.h>

namespace lambda::observe {
namespace {

double seconds_of(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

void add_process(FamilyText& text, const ServerFacts& facts) {
  const auto& process = facts.process;
  auto one = [&text](Family family, double value) {
    if (family.made().type == prometheus::MetricType::Counter) {
      family.counter_of({}, value);
    } else {
      family.gauge({}, value);
    }
    text << family;
  };
  const auto start = std::chrono::duration<double>(facts.started.time_since_epoch()).count();
  one(gauges("process_start_time_seconds", "When this server was started, since 1970."), start);
  one(counters("process_cpu_seconds_total", "Processor time that lambdad has used."),
      process.cpu_seconds);
  one(gauges("process_resident_memory_bytes", "Memory of lambdad that is resident."),
      static_cast<double>(process.resident_bytes));
  one(gauges("process_virtual_memory_bytes", "Address space of lambdad."),
      static_cast<double>(process.virtual_bytes));
  one(gauges("process_open_fds", "File descriptors of lambdad that are open."),
      static_cast<double>(process.open_files));
  one(gauges("process_max_fds", "File descriptors that lambdad may open."),
      static_cast<double>(process.most_files));
  one(gauges("lambda_uptime_seconds", "How long this server runs."), facts.uptime.count());
  one(gauges("lambda_functions", "Functions that there are."),
      static_cast<double>(facts.functions));
  one(gauges("lambda_instances_used", "Instances that there are, started or starting."),
      static_cast<double>(facts.instances));
  one(gauges("lambda_instances_limit", "Instances that there may be (max_instances)."),
      static_cast<double>(facts.most_instances));
  one(gauges("lambda_body_memory_bytes", "Bodies of requests and responses that are held."),
      static_cast<double>(facts.body_bytes));
  one(gauges("lambda_body_memory_limit_bytes", "What may be held of them (body_memory)."),
      static_cast<double>(facts.most_body_bytes));
  one(gauges("lambda_connections", "Connections to this server that are open."),
      static_cast<double>(facts.connections));
}

void add_server(FamilyText& text, const Scene& scene) {
  auto build = gauges("lambda_build_info", "Always 1; what runs is in the labels.");
  build.gauge({{"version", scene.facts.version}, {"driver", scene.facts.driver}}, 1);
  text << build;
  add_process(text, scene.facts);
  auto stalls = counters("lambda_loop_stalls_total",
                         "How often an event loop came round more than 5 ms late.");
  auto longest = gauges("lambda_loop_longest_stall_seconds",
                        "The longest that an event loop was late since the start.");
  for (const auto& loop : scene.facts.loops) {
    stalls.counter({{"loop", loop.name}}, loop.stalls);
    longest.gauge({{"loop", loop.name}}, seconds_of(loop.longest));
  }
  text << stalls << longest;
}

void add_traces(FamilyText& text, const TraceFacts& traces) {
  auto lost = counters("lambda_traces_lost_total",
                       "Slow and failed calls whose trace the disk did not take.");
  lost.counter({}, traces.lost);
  text << lost;
  if (!traces.exports) return;
  auto calls = counters("lambda_otlp_calls_total",
                        "Calls for the collector of traces by what came of them.");
  calls.counter({{"result", "exported"}}, traces.exported);
  calls.counter({{"result", "lost"}}, traces.export_lost);
  auto waiting = gauges("lambda_otlp_waiting_calls", "Calls that wait for the collector.");
  waiting.gauge_of({}, traces.export_waiting);
  text << calls << waiting;
}

void add_stems(FamilyText& text, const std::map<std::string, StemFacts>& stems) {
  auto waiting = gauges("lambda_stems", "Sandboxes that wait for a function.");
  auto starts = counters("lambda_stem_starts_total",
                         "Starts of native instances by whether a stem waited for them.");
  for (const auto& [root, facts] : stems) {
    waiting.gauge_of({{"root", root}}, facts.waiting);
    starts.counter({{"root", root}, {"found", "stem"}}, facts.taken);
    starts.counter({{"root", root}, {"found", "nothing"}}, facts.missed);
  }
  text << waiting << starts;
}

void add_http(FamilyText& text, const Scene& scene) {
  auto requests = counters("lambda_http_requests_total",
                           "HTTP requests by door (api, host: NAME.<domain>, path: /fn/NAME, none: "
                           "refused before) and status.");
  auto received = counters("lambda_http_request_bytes_total", "Bytes of their bodies.");
  auto sent = counters("lambda_http_response_bytes_total", "Bytes of the responses' bodies.");
  std::map<std::pair<std::size_t, unsigned>, std::uint64_t> counts;
  std::array<std::uint64_t, HttpCounts::kDoors.size()> in{}, out{};
  for (const auto* loop : scene.http) {
    loop->each([&counts](std::size_t door, unsigned status, std::uint64_t count) {
      counts[{door, status}] += count;
    });
    for (std::size_t door = 0; door < in.size(); ++door) {
      in[door] += loop->received(door);
      out[door] += loop->sent(door);
    }
  }
  for (const auto& [key, count] : counts) {
    const auto code = std::to_string(key.second);
    requests.counter({{"door", HttpCounts::kDoors[key.first]}, {"code", code}}, count);
  }
  for (std::size_t door = 0; door < in.size(); ++door) {
    received.counter({{"door", HttpCounts::kDoors[door]}}, in[door]);
    sent.counter({{"door", HttpCounts::kDoors[door]}}, out[door]);
  }
  text << requests << received << sent;
}

// All of them, also those that are zero: a rate needs the zero before the first.
template <class Counts, class Names>
Family all_of(Family family, const char* label, const Counts& counts, const Names& names,
              std::size_t first) {
  for (std::size_t i = first; i < counts.size(); ++i)
    family.counter({{label, names[i]}}, counts[i]);
  return family;
}

void add_events(FamilyText& text, const Scene& scene) {
  const auto& counters_now = scene.counters;
  text << all_of(counters("lambda_deploys_total", "Deploys by what came of them."), "result",
                 counters_now.deploys, kDeployResultNames, 0);
  text << all_of(counters("lambda_schedule_firings_total",
                          "Times of schedules by what was decided; one that was queued counts as "
                          "fired, too, when it begins."),
                 "outcome", counters_now.firings, kFiringOutcomeNames, 0);
  auto lateness = histograms("lambda_schedule_lateness_seconds",
                             "From a schedule's time to its event's being in the queue.");
  lateness.histogram({}, counters_now.lateness);
  auto events = gauges("lambda_queue_events", "Asynchronous events by function and state.");
  auto ages = gauges("lambda_queue_oldest_age_seconds",
                     "How long ago the oldest event that waits or runs was accepted.");
  for (const auto& [function, queue] : scene.queues) {
    events.gauge_of({{"function", function}, {"state", "waiting"}}, queue.waiting);
    events.gauge_of({{"function", function}, {"state", "running"}}, queue.running);
    events.gauge_of({{"function", function}, {"state", "dead"}}, queue.dead);
    const auto age = queue.oldest ? scene.time - *queue.oldest : WallTime::duration(0);
    ages.gauge({{"function", function}}, std::max(0.0, std::chrono::duration<double>(age).count()));
  }
  text << lateness << events << ages;
}

void add_instances(FamilyText& text, const Scene& scene) {
  auto running = gauges("lambda_concurrency", "Calls in flight, by function.");
  for (const auto& [function, count] : scene.gauges.in_flight)
    running.gauge_of({{"function", function}}, count);
  auto instances = gauges("lambda_instances", "Instances by state.");
  auto waiting = gauges("lambda_waiting_calls", "Calls in line for an instance.");
  auto memory = gauges("lambda_memory_bytes",
                       "Memory of the instances of a version, sampled every few seconds.");
  for (const auto& [key, counts] : scene.gauges.instances) {
    const auto& [function, version] = key;
    const auto state = [&](std::string_view name, std::uint64_t count) {
      instances.gauge_of({{"function", function}, {"version", version}, {"state", name}}, count);
    };
    state("starting", counts.starting);
    state("idle", counts.idle);
    state("frozen", counts.frozen);
    state("busy", counts.busy);
    state("ending", counts.ending);
    waiting.gauge_of({{"function", function}, {"version", version}}, counts.waiting_calls);
    memory.gauge_of({{"function", function}, {"version", version}}, counts.memory_bytes);
  }
  text << running << instances << waiting << memory;
}

void add_server_calls(FamilyText& text, const CallTotals& totals) {
  auto invocations = counters("lambda_server_invocations_total",
                              "Calls of all functions that were carried out, well or not.");
  invocations.counter({}, totals.invocations);
  auto cold =
      counters("lambda_server_cold_starts_total", "Calls that were their instance's first.");
  cold.counter({}, totals.cold_starts);
  auto duration =
      histograms("lambda_server_duration_seconds", "How long the handlers of all functions took.");
  duration.histogram({}, totals.duration);
  text << invocations
       << all_of(counters("lambda_server_errors_total", "Calls that failed, by kind."), "kind",
                 totals.errors, kCallErrorNames, 1)
       << all_of(counters("lambda_server_throttles_total", "Calls that were refused, by reason."),
                 "reason", totals.throttles, kThrottleNames, 1)
       << cold << duration;
}

// Calls see(function, version, totals) for every series.
template <class See>
void each_series(const CallBook& book, See see) {
  for (const auto& [function, of] : book.functions()) {
    for (const auto& [version, totals] : of.versions) see(function, version, totals);
  }
  const auto& other = book.other();
  // In brackets: no function can have that name.
  if (other.invocations + other.throttle_count() > 0 || !other.answers.cells().empty())
    see("(other)", "", other);
}

// One family of all series, so that not all of them are held at once.
template <class Add>
void add_series(FamilyText& text, const CallBook& book, Family family, Add add) {
  each_series(
      book, [&family, &add](std::string_view function, std::string_view version,
                            const CallTotals& totals) { add(family, function, version, totals); });
  text << family;
}

template <class Counts, class Names>
void add_kinds(Family& family, std::string_view function, std::string_view version,
               const char* label, const Counts& counts, const Names& names) {
  for (std::size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    family.counter({{"function", function}, {"version", version}, {label, names[i]}}, counts[i]);
  }
}

void add_calls(FamilyText& text, const CallBook& book) {
  using View = std::string_view;
  add_series(text, book,
             counters("lambda_invocations_total",
                      "Calls that were carried out, well or not; throttled ones are not."),
             [](Family& family, View function, View version, const CallTotals& totals) {
               family.counter({{"function", function}, {"version", version}}, totals.invocations);
             });
  add_series(text, book, counters("lambda_errors_total", "Calls that failed, by kind."),
             [](Family& family, View function, View version, const CallTotals& totals) {
               add_kinds(family, function, version, "kind", totals.errors, kCallErrorNames);
             });
  add_series(text, book, counters("lambda_throttles_total", "Calls that were refused, by reason."),
             [](Family& family, View function, View version, const CallTotals& totals) {
               add_kinds(family, function, version, "reason", totals.throttles, kThrottleNames);
             });
  add_series(text, book,
             counters("lambda_cold_starts_total", "Calls that were their instance's first."),
             [](Family& family, View function, View version, const CallTotals& totals) {
               family.counter({{"function", function}, {"version", version}}, totals.cold_starts);
             });
  add_series(
      text, book, counters("lambda_url_responses_total", "Requests at function URLs by status."),
      [](Family& family, View function, View version, const CallTotals& totals) {
        for (const auto& [status, count] : totals.answers.cells()) {
          const auto code = StatusCounts::name_of(status);
          family.counter({{"function", function}, {"version", version}, {"code", code}}, count);
        }
      });
  add_series(
      text, book, gauges("lambda_memory_peak_bytes", "The most memory that an instance has used."),
      [](Family& family, View function, View version, const CallTotals& totals) {
        if (totals.memory_peak_bytes == 0) return;
        family.gauge_of({{"function", function}, {"version", version}}, totals.memory_peak_bytes);
      });
  add_series(text, book, histograms("lambda_duration_seconds", "How long the handler took."),
             [](Family& family, View function, View version, const CallTotals& totals) {
               family.histogram({{"function", function}, {"version", version}}, totals.duration);
             });
  add_series(
      text, book,
      histograms("lambda_init_duration_seconds",
                 "How long runtime and code took to initialise, where a call waited for it."),
      [](Family& family, View function, View version, const CallTotals& totals) {
        if (totals.init.count() == 0) return;
        family.histogram({{"function", function}, {"version", version}}, totals.init);
      });
}

}  // namespace

std::string prometheus_text(const Scene& scene) {
  FamilyText text;
  add_server(text, scene);
  add_traces(text, scene.facts.traces);
  add_stems(text, scene.facts.stems);
  add_http(text, scene);
  add_events(text, scene);
  add_server_calls(text, scene.book.server().totals);
  add_instances(text, scene);
  auto series = gauges("lambda_metrics_series", "Versions that have series of their own.");
  series.gauge_of({}, scene.book.series());
  text << series;
  add_calls(text, scene.book);
  return text.take();
}

}  // namespace lambda::observe
