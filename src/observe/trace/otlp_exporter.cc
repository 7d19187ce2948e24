#include "observe/trace/otlp_exporter.h"

#include "base/background.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "observe/trace/otlp_json.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <pthread.h>

namespace lambda::observe {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kPath = "/v1/traces";
constexpr std::size_t kMostAnswer = 64 * 1024;
constexpr std::size_t kLongestStatus = 200;
constexpr std::chrono::minutes kTellEvery{1};

TraceContext::SpanId random_span() {
  TraceContext::SpanId id{};
  const auto bytes = random_bytes(id.size());
  std::ranges::transform(bytes, id.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return id;
}

// Seconds; a date, or nothing, is 0.
milliseconds retry_after(const http::Response& answer) {
  const auto text = answer.headers.get("Retry-After");
  long count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return std::chrono::seconds(std::clamp(count, 0L, 3600L));
}

}  // namespace

Result<http::ParsedUrl> otlp_url(std::string_view text) {
  if (!text.starts_with("http://") && !text.starts_with("https://")) {
    return fail(ErrorCode::invalid,
                "\"{}\" is not the address of a collector, such as http://localhost:4318", text);
  }
  auto url = http::parse_url(text);
  if (!url) return fail(std::move(url.error()));
  if (!url->path.ends_with(kPath)) {
    if (url->path.ends_with('/')) url->path.pop_back();
    url->path += kPath;
  }
  return url;
}

OtlpVerdict otlp_verdict(unsigned status) {
  if (status >= 200 && status < 300) return OtlpVerdict::taken;
  if (status == 429 || status == 502 || status == 503 || status == 504) return OtlpVerdict::again;
  return OtlpVerdict::refused;
}

OtlpRefusal otlp_refusal(std::string_view body) {
  OtlpRefusal refusal;
  boost::system::error_code error;
  const auto answer = boost::json::parse(body, error);
  const auto* partial =
      answer.is_object() ? answer.get_object().if_contains("partialSuccess") : nullptr;
  if (error || partial == nullptr || !partial->is_object()) return refusal;
  const auto& object = partial->get_object();
  // 64-bit numbers are texts in JSON of protobuf; not everybody writes them so.
  if (const auto* spans = object.if_contains("rejectedSpans"); spans != nullptr) {
    if (const auto* text = spans->if_string()) {
      std::from_chars(text->data(), text->data() + text->size(), refusal.spans);
    } else {
      refusal.spans = spans->to_number<std::uint64_t>(error);
    }
  }
  if (const auto* why = object.if_contains("errorMessage"); why != nullptr && why->is_string())
    refusal.why = escape_controls(first_of_utf8(why->get_string(), kLongestStatus));
  return refusal;
}

OtlpExporter::OtlpExporter(Options options) : options_(std::move(options)), queue_(options_.queue) {
  asio::co_spawn(loop_, run(), in_background("the export of traces"));
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "otlp");
    loop_.run();
  });
}

void OtlpExporter::record(const CallRecord& call) noexcept {
  if (!call.trace.sampled || !call.trace.known()) return;
  try {
    queue_.give(call, false);
  } catch (const std::exception& error) {
    spdlog::error("a call is not exported: {}", error.what());
  }
}

OtlpExporter::Counts OtlpExporter::counts() const {
  Counts counts;
  counts.exported = exported_.load(std::memory_order_relaxed);
  counts.lost = lost_.load(std::memory_order_relaxed) + queue_.dropped();
  counts.waiting = queue_.size() + taken_.load(std::memory_order_relaxed);
  return counts;
}

void OtlpExporter::finish() {
  if (std::exchange(finished_, true)) return;
  asio::post(loop_, [this] {
    end_ = steady_clock::now() + options_.at_end;
    ending_.set();
  });
  thread_.join();
}

// False when the server ends.
Task<bool> OtlpExporter::pause(milliseconds time) {
  co_return !co_await ending_.wait_until(steady_clock::now() + time);
}

Task<void> OtlpExporter::run() {
  constexpr milliseconds kLook{100};
  auto began = steady_clock::now();
  while (!ending_.is_set()) {
    co_await pause(kLook);
    const bool due =
        queue_.size() >= options_.batch || steady_clock::now() - began >= options_.pause;
    if (!due && !ending_.is_set()) continue;
    began = steady_clock::now();
    auto calls = queue_.take();
    taken_ = calls.size();
    for (std::size_t i = 0; i < calls.size(); i += options_.batch) {
      const auto end = std::min(calls.size(), i + options_.batch);
      std::vector<KeptCall> batch(std::make_move_iterator(calls.begin() + static_cast<long>(i)),
                                  std::make_move_iterator(calls.begin() + static_cast<long>(end)));
      const bool goes_on = co_await send(std::move(batch));
      taken_ = calls.size() - end;
      if (goes_on) continue;
      lost_ += calls.size() - end;
      break;
    }
    taken_ = 0;
    tell("the collector takes them too slowly");
  }
}

Task<Result<http::Response>> OtlpExporter::post(std::string body) {
  http::Request request;
  request.method = "POST";
  request.target = options_.url.path;
  request.headers.add("Host", options_.url.host_header);
  request.headers.add("Content-Type", "application/json");
  request.headers.add("User-Agent", "lambdad/" + options_.version);
  for (const auto& [name, value] : options_.headers) request.headers.add(name, value);
  request.headers.add("Connection", "close");
  co_return co_await http::fetch(options_.url.endpoint, std::move(request), std::move(body),
                                 request_deadline(), kMostAnswer);
}

SteadyTime OtlpExporter::request_deadline() const {
  const auto usual = steady_clock::now() + options_.timeout;
  return ending_.is_set() ? std::min(usual, end_) : usual;
}

Task<bool> OtlpExporter::send(std::vector<KeptCall> batch) {
  const auto body = boost::json::serialize(otlp_request(batch, options_.version, random_span));
  const auto give_up = steady_clock::now() + options_.give_up;
  auto wait = options_.first_retry;
  std::string problem;
  while (true) {
    auto answer = co_await post(body);
    auto verdict = OtlpVerdict::again;
    if (answer) {
      verdict = otlp_verdict(answer->status);
      if (verdict == OtlpVerdict::taken) {
        count_taken(batch.size(), answer->body);
        co_return true;
      }
      problem = fmt::format("it answered with the status {}", answer->status);
      wait = std::max(wait, retry_after(*answer));
    } else {
      problem = answer.error().message();
    }
    if (verdict == OtlpVerdict::refused || steady_clock::now() + wait >= give_up) break;
    if (!co_await pause(wait)) break;
    wait = std::min(wait * 2, options_.longest_retry);
  }
  lost_ += batch.size();
  tell(problem);
  co_return !ending_.is_set();
}

// A span that is refused is some call's: no more calls are than spans.
void OtlpExporter::count_taken(std::size_t calls, std::string_view answer) {
  const auto refusal = otlp_refusal(answer);
  const auto refused = std::min<std::uint64_t>(refusal.spans, calls);
  exported_ += calls - refused;
  lost_ += refused;
  if (refused > 0) tell("it refused " + std::to_string(refusal.spans) + " spans: " + refusal.why);
}

void OtlpExporter::tell(std::string_view what) {
  const auto lost = lost_ + queue_.dropped();
  const auto now = steady_clock::now();
  if (lost == told_ || (told_ != 0 && now - told_at_ < kTellEvery)) return;
  spdlog::warn("{} calls were not exported to {}{}: {} (said at most once a minute)", lost - told_,
               options_.url.host_header, options_.url.path, what);
  told_ = lost;
  told_at_ = now;
}

}  // namespace lambda::observe
