// OtlpExporter: sends the calls of sampled traces to an OpenTelemetry collector, as JSON over HTTP.
//
// A sink for every loop: what it takes goes into a bounded queue, and a thread of its own,
// **otlp**, sends it in batches. A collector that does not answer is asked again, later and later;
// what there is no room for meanwhile is dropped, counted, and told in the log once a minute at
// most. No call waits for any of it.
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "http/client.h"
#include "observe/call_record.h"
#include "observe/trace/call_queue.h"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace lambda::observe {

// The collector's address with the path that OTLP gives to traces: /v1/traces is put behind any
// other. Errors: invalid.
[[nodiscard]] Result<http::ParsedUrl> otlp_url(std::string_view text);

// What an answer of the collector means for a batch.
enum class OtlpVerdict { taken, again, refused };
[[nodiscard]] OtlpVerdict otlp_verdict(unsigned status);
// What of a batch that it took it refused all the same, by the answer's body.
struct OtlpRefusal {
  std::uint64_t spans = 0;
  std::string why;
};
[[nodiscard]] OtlpRefusal otlp_refusal(std::string_view body);

class OtlpExporter final : public CallSink {
 public:
  struct Options {
    http::ParsedUrl url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string version;                           // of this server
    std::size_t queue = 8192;                      // calls
    std::size_t batch = 256;                       // calls
    std::chrono::milliseconds pause{1'000};        // a smaller batch waits so long for more
    std::chrono::milliseconds timeout{5'000};      // of one request
    std::chrono::milliseconds first_retry{1'000};  // later ones wait twice as long each,
    std::chrono::milliseconds longest_retry{30'000};
    std::chrono::milliseconds give_up{300'000};  // then the batch is dropped
    std::chrono::milliseconds at_end{2'000};     // for what is left when the server ends
  };
  explicit OtlpExporter(Options options);
  ~OtlpExporter() override { finish(); }
  OtlpExporter(const OtlpExporter&) = delete;
  OtlpExporter& operator=(const OtlpExporter&) = delete;

  // Any loop.
  void record(const CallRecord& call) noexcept override;
  // Calls, since the start. Any thread.
  struct Counts {
    std::uint64_t exported = 0;
    std::uint64_t lost = 0;
    std::uint64_t waiting = 0;
  };
  [[nodiscard]] Counts counts() const;
  // Sends what is left, for a moment, and ends the thread. After the loops have stopped.
  void finish();

 private:
  Task<void> run();
  Task<bool> pause(std::chrono::milliseconds time);
  // False when the server ends and the collector does not take it.
  Task<bool> send(std::vector<KeptCall> batch);
  [[nodiscard]] SteadyTime request_deadline() const;
  Task<Result<http::Response>> post(std::string body);
  void count_taken(std::size_t calls, std::string_view answer);
  void tell(std::string_view what);

  Options options_;
  CallQueue queue_;
  Loop loop_{1};
  AsyncEvent ending_;
  SteadyTime end_{};  // when the server ends: for what is left
  bool finished_ = false;
  std::atomic<std::uint64_t> exported_ = 0;
  std::atomic<std::uint64_t> lost_ = 0;   // calls whose batch was refused, or given up
  std::atomic<std::uint64_t> taken_ = 0;  // out of the queue, and neither of both yet
  std::uint64_t told_ = 0;
  SteadyTime told_at_{};
  std::thread thread_;
};

}  // namespace lambda::observe
