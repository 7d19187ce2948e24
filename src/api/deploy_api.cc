#include "api/deploy_api.h"

#include "access/caller_watch.h"
#include "api/deploy_request.h"
#include "api/error_response.h"
#include "api/own_api.h"
#include "base/background.h"
#include "base/encoding.h"

#include <deque>
#include <exception>
#include <memory>
#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

// Of lines that the client has not taken yet. What a build says beyond that is left out.
constexpr std::size_t kMaxWaiting = 4 << 20;

json::object error_line(const Error& error, const deploy::DeployFailure& failure) {
  json::object line{{"event", "error"}};
  line["code"] = to_string(error.code());
  line["status"] = shape_of(error).status;
  line["message"] = error.message();
  line["functionPayload"] = failure.function_payload;
  line["log"] = failure.log;
  return line;
}

// Progress as lines, written by a coroutine of their own: what reports progress must not wait for a
// slow client. The first line starts the response, so that what is wrong at the door can still be
// an ordinary error.
class LineWriter final : public deploy::Progress, public std::enable_shared_from_this<LineWriter> {
 public:
  LineWriter(http::ResponseWriter& writer, LoopExecutor executor, std::string request_id)
      : writer_(writer), executor_(executor), request_id_(std::move(request_id)) {}

  void begin_step(int number, std::string_view text) override {
    add(json::object{{"event", "begin"}, {"step", number}, {"text", text}});
  }
  void output(std::string_view text) override {
    if (last_) return;
    if (waiting_ + text.size() > kMaxWaiting) {
      left_out_ += text.size();
      return;
    }
    say_what_was_left_out();
    add(json::object{{"event", "output"}, {"text", text}});
  }
  void end_step(int number, std::string_view text) override {
    say_what_was_left_out();
    add(json::object{{"event", "end"}, {"step", number}, {"text", text}});
  }

  // Not while lines are written to it alone: this ends what a person waits for.
  void when_abandoned(std::function<void()> action) override {
    on_abandoned_ = action;
    writer_.on_client_gone(std::move(action));
  }
  // Whoever reads it may not any more: it ends with that, and so does what a person waits for.
  // Before the first line, the deploy's own error says it.
  void deny(const Error& error) {
    if (last_ || !running_) return;
    add(error_line(error, {}));
    last_ = true;
    if (const auto action = std::exchange(on_abandoned_, {})) action();
  }

  // Where output had no room: between what came before and what comes next.
  void say_what_was_left_out() {
    const auto size = std::exchange(left_out_, 0);
    if (size == 0) return;
    add(json::object{{"event", "output"},
                     {"text", fmt::format("\n[{} bytes of output are left out here: they came "
                                          "faster than they were read]\n",
                                          size)}});
  }

  void add(json::object line) {
    if (last_) return;
    auto text = json::serialize(line);
    // Words of the function and of builds are among them, and those may be any bytes.
    if (!is_valid_utf8(text)) text = repair_utf8(text);
    waiting_ += text.size() + 1;
    lines_.push_back(std::move(text) + "\n");
    more_.set();
    if (!running_) {
      running_ = true;
      asio::co_spawn(executor_, write_lines(shared_from_this()),
                     in_background("the lines of a deploy"));
    }
  }
  [[nodiscard]] bool begun() const { return running_; }

  // Resolves when everything was written. A response without its result is left without its end,
  // which is how the client learns that something is missing.
  Task<void> finish(bool whole = true) {
    last_ = true;
    whole_ = whole;
    more_.set();
    if (running_) co_await done_.wait();
  }

 private:
  // `self` keeps the writer for as long as lines are written.
  Task<void> write_lines([[maybe_unused]] std::shared_ptr<LineWriter> self) {
    http::Response head(200);
    head.headers.add("Content-Type", "application/x-ndjson");
    head.headers.add("x-amzn-RequestId", request_id_);
    bool alive = (co_await writer_.start(std::move(head))).has_value();
    while (true) {
      while (!lines_.empty()) {
        std::string piece;
        for (auto& line : lines_) piece += line;
        lines_.clear();
        const auto size = piece.size();
        // A client that went away does not end its deploy.
        if (alive) alive = (co_await writer_.write(std::move(piece))).has_value();
        waiting_ -= size;
      }
      if (last_) break;
      more_.reset();
      co_await more_.wait();
    }
    if (alive && whole_) co_await writer_.finish();
    done_.set();
  }

  http::ResponseWriter& writer_;
  LoopExecutor executor_;
  std::string request_id_;
  std::deque<std::string> lines_;
  std::size_t waiting_ = 0;   // bytes of lines, those that are being written included
  std::size_t left_out_ = 0;  // bytes of output since the last that was taken
  std::function<void()> on_abandoned_;
  bool running_ = false;
  bool last_ = false;
  bool whole_ = true;
  AsyncEvent more_;
  AsyncEvent done_;
};

Result<deploy::DeployRequest> read_settings(const Exchange& exchange) {
  const auto decoded = base64_decode(exchange.request.headers.get("X-Lambda-Settings"));
  boost::system::error_code error;
  const auto value = decoded ? json::parse(*decoded, error) : json::value();
  if (!decoded || error || !value.is_object()) {
    return fail(ErrorCode::invalid, "X-Lambda-Settings must be the base64 of a JSON object");
  }
  return admit_deploy_request(exchange, value.get_object());
}

// Which code is live now, who may call its URL where that was said, and which variables are others.
std::string note_of(const deploy::DeployReport& report, std::optional<function::UrlAuth> url) {
  auto note = report.unchanged ? fmt::format("as version {} already", report.version->number)
                               : fmt::format("version {}", report.version->number);
  if (url) note += fmt::format(", url {}", function::to_string(*url));
  if (const auto variables = report.variables.text(); !variables.empty()) note += ": " + variables;
  return note;
}

json::object result_line(Services& services, const deploy::DeployReport& report) {
  json::object line{{"event", "result"}};
  line["version"] = report.version->number;
  line["unchanged"] = report.unchanged;
  if (report.shared) line["shared"] = share_json(*report.shared);
  const auto snapshot = services.catalog.snapshot();
  const auto found = snapshot->functions.find(report.version->function);
  line["url"] = found == snapshot->functions.end() ? "" : services.addresses.url_of(*found->second);
  line["urlAuth"] =
      found == snapshot->functions.end() ? "" : function::to_string(found->second->url.auth);
  line["cleaned"] = json::array(report.cleaned.begin(), report.cleaned.end());
  line["driver"] = report.driver;
  line["initMicroseconds"] = report.init.count();
  return line;
}

}  // namespace

Task<Answer> deploy_function(Services& services, Exchange& exchange) {
  auto request = read_settings(exchange);
  if (!request) co_return fail(std::move(request.error()));
  const auto executor = co_await asio::this_coro::executor;
  const auto lines = std::make_shared<LineWriter>(exchange.writer, executor, exchange.request_id);
  const auto url = request->url;
  const auto still_admitted = [&services, &exchange] {
    return access::check_caller(services.keys, services.clock, exchange.caller);
  };
  request->admitted = still_admitted;
  const auto deny = [lines = lines.get()](const Error& error) { lines->deny(error); };
  const access::CallerWatch watch(services.keys, services.clock, exchange.caller, executor, deny);
  deploy::DeployFailure failure;
  Result<deploy::DeployReport> report = fail(ErrorCode::internal, "the deploy did not end");
  std::exception_ptr thrown;
  try {
    report = co_await services.deployer.deploy(std::move(*request), exchange.body, *lines, failure);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    // What writes the lines must not outlive the response's writer.
    co_await lines->finish(false);
    std::rethrow_exception(thrown);
  }
  // Whatever that made it fail by.
  if (auto may = still_admitted(); !report && !may) report = fail(std::move(may.error()));
  if (!report && !lines->begun()) co_return fail(std::move(report.error()));
  lines->say_what_was_left_out();
  if (report) {
    exchange.note = note_of(*report, url);
    lines->add(result_line(services, *report));
  } else {
    exchange.failed = report.error();
    lines->add(error_line(report.error(), failure));
  }
  co_await lines->finish();
  co_return std::nullopt;
}

}  // namespace lambda::api
