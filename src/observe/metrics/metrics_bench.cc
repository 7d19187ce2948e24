// What a call at a function's URL costs the metrics, the answer to its request included: on its
// loop (record), and on the metrics thread (count); and a scrape.
#include "observe/metrics/call_book.h"
#include "observe/metrics/loop_metrics.h"
#include "observe/metrics/prometheus_text.h"

#include <benchmark/benchmark.h>

#include <fmt/format.h>
#include <string>
#include <utility>
#include <vector>

namespace lambda::observe {
namespace {

using std::chrono::microseconds;

std::vector<std::string> names(std::size_t count) {
  std::vector<std::string> made;
  for (std::size_t i = 0; i < count; ++i)
    made.push_back(fmt::format("a-function-of-the-shop-{}", i));
  return made;
}

CallRecord call_of(const std::string& function, std::int64_t duration) {
  CallRecord call;
  call.function = function;
  call.version = "7";
  call.memory_peak_bytes = 30'000'000;
  call.add(CallStep::handler, microseconds(10), microseconds(duration));
  call.add(CallStep::response, microseconds(duration + 10), microseconds(30));
  return call;
}

void tell(LoopMetrics& metrics, const std::string& function, std::size_t number) {
  metrics.record(call_of(function, static_cast<std::int64_t>(number % 5000)));
  metrics.answered(function, "7", 200);
}

void record(benchmark::State& state) {
  const auto functions = names(static_cast<std::size_t>(state.range(0)));
  std::size_t delivered = 0;
  LoopMetrics metrics(
      [&delivered](const CallRecorder::Batch& batch) { delivered += batch.size(); });
  std::size_t i = 0;
  for (auto _ : state) {
    ++i;
    tell(metrics, functions[i % functions.size()], i);
  }
  benchmark::DoNotOptimize(delivered);
}
BENCHMARK(record)->Arg(100);

void count(benchmark::State& state) {
  const auto functions = names(static_cast<std::size_t>(state.range(0)));
  std::vector<CallSample> samples;
  LoopMetrics metrics([&samples](CallRecorder::Batch batch) {
    for (auto& sample : batch) samples.push_back(std::move(sample));
  });
  for (std::size_t i = 0; i < 10'000; ++i) tell(metrics, functions[i % functions.size()], i);
  metrics.flush();
  CallBook book;
  std::size_t i = 0;
  for (auto _ : state) {
    book.add(samples[i % samples.size()]);
    book.add(samples[(i + 1) % samples.size()]);
    i += 2;
  }
}
BENCHMARK(count)->Arg(100);

void scrape(benchmark::State& state) {
  CallBook book;
  for (const auto& function : names(static_cast<std::size_t>(state.range(0)))) {
    CallSample sample;
    sample.series = std::make_shared<const SeriesName>(SeriesName{function, "7"});
    for (const int duration : {900, 1'500, 2'000, 90'000}) {
      sample.duration = microseconds(duration);
      book.add(sample);
    }
  }
  Scene scene{book, {}, {}, {}, {}, {}, {}, {}};
  std::size_t bytes = 0;
  for (auto _ : state) bytes = prometheus_text(scene).size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(scrape)->Arg(10'000)->Unit(benchmark::kMillisecond)->Iterations(2);

}  // namespace
}  // namespace lambda::observe

BENCHMARK_MAIN();
