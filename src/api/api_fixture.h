// What the tests of the control API share: all of it without sockets, with a catalog, keys, a queue
// and an audit that are real, on one loop. For tests alone.
#pragma once

#include "api/api_handler.h"
#include "api/audit_trail.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "events/queue/event_queue.h"
#include "events/webhook/sender.h"
#include "invoke/refusing_invoker.h"
#include "store/audit_table.h"
#include "store/database.h"
#include "store/group_commit.h"
#include "store/master_key.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lambda::api {

using DeployScript = Task<Result<deploy::DeployReport>> (*)(deploy::Progress&,
                                                            deploy::DeployFailure&);

class ScriptedDeployer final : public deploy::Deployer {
 public:
  Task<Result<deploy::DeployReport>> deploy(deploy::DeployRequest request, http::BodyReader&,
                                            deploy::Progress& progress,
                                            deploy::DeployFailure& failure) override {
    limited = request.limited;
    if (admit) {
      admit();
      auto may = request.admitted();
      if (!may) co_return fail(std::move(may.error()));
    }
    co_return co_await script(progress, failure);
  }
  Task<Result<deploy::DeployReport>> change_environment(deploy::EnvironmentChange) override {
    co_return fail(ErrorCode::internal, "not here");
  }
  [[nodiscard]] Result<Done> check(const deploy::DeployRequest&) const override { return Done{}; }
  DeployScript script = nullptr;
  std::function<void()> admit;  // then it asks whether it still may
  std::optional<bool> limited;  // as the last one said
};

class Recorder final : public http::ResponseWriter {
 public:
  Task<Result<std::size_t>> send(http::Response response) override {
    begun = true;
    sent = std::move(response);
    co_return sent->body.size();
  }
  Task<Result<std::size_t>> start(http::Response) override {
    begun = true;
    if (slow) co_await may_go_on.wait();
    co_return std::size_t{0};
  }
  Task<Result<std::size_t>> write(std::string bytes) override {
    written += bytes;
    co_return bytes.size();
  }
  Task<Result<std::size_t>> finish() override {
    finished = true;
    co_return std::size_t{0};
  }
  Task<Result<std::unique_ptr<http::ByteStream>>> upgrade(http::Response) override {
    co_return fail(ErrorCode::internal, "not here");
  }
  [[nodiscard]] bool started() const override { return begun; }
  AsyncEvent& client_gone() override { return gone; }
  void on_client_gone(std::function<void()>) override {}

  bool slow = false;  // start() waits for may_go_on
  AsyncEvent may_go_on;
  bool begun = false;
  bool finished = false;
  std::optional<http::Response> sent;
  std::string written;
  AsyncEvent gone;
};

// One request on its way.
struct Asked {
  http::Request request;
  http::BufferedBody body{""};
  Recorder writer;
  bool ended = false;
  std::exception_ptr thrown;
};

class ScriptedMetrics final : public observe::MetricsSource {
 public:
  Task<Result<std::string>> prometheus() override {
    if (busy) co_return fail(ErrorCode::overloaded, "others are being answered");
    co_return "lambda_functions 1\n";
  }
  Task<Result<boost::json::object>> stats() override {
    if (busy) co_return fail(ErrorCode::overloaded, "others are being answered");
    co_return boost::json::object();
  }
  Task<Result<boost::json::object>> stats_of(std::string) override {
    co_return boost::json::object();
  }
  bool busy = false;
};

class ApiTest : public testing::Test {
 public:
  ApiTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{},
                                                  store::MasterKey::ephemeral()));
    secrets_ = std::move(*function::SecretTable::load(*database_, clock_, function::Tenant{},
                                                      store::MasterKey::ephemeral()));
    keys_ = std::move(*store::KeyTable::load(*database_, clock_, store::MasterKey::ephemeral(),
                                             "000000000000", "us-east-1"));
    packages_ = std::move(*function::PackageStore::open(directory_));
    logs_ = std::move(*observe::LogStore::open(directory_ / "logs", clock_));
    traces_ = std::move(*observe::TraceStore::open(directory_ / "traces", {&loop_}, disk_, clock_,
                                                   observe::TraceLimits()));
    access::Authenticator::Options options;
    options.account = "000000000000";
    authenticator_ = std::make_unique<access::Authenticator>(*keys_, clock_, options);
    commits_ = std::make_unique<store::GroupCommit>(*database_, store_thread_);
    audit_ = std::make_unique<store::AuditTable>(*database_, keys_->master(), "000000000000",
                                                 "us-east-1");
    trail_ = std::make_unique<AuditTrail>(*commits_, *audit_, clock_);
    webhooks_ = std::make_unique<events::WebhookSender>(
        events::WebhookSender::Parts{*catalog_, keys_->master(), disk_, clock_},
        events::WebhookSender::Options());
    events_ = std::make_unique<events::EventQueue>(
        events::EventQueue::Parts{loop_, *database_, *commits_, store_thread_, *catalog_, invoker_,
                                  *webhooks_, watched_},
        events::EventQueue::Limits());
    scheduler_ = std::make_unique<events::Scheduler>(events::Scheduler::Parts{
        loop_, *database_, *commits_, store_thread_, *events_, *catalog_, clock_});
    handler_ = std::make_unique<ApiHandler>(services(), *authenticator_);
  }
  ~ApiTest() override { release(); }

  Services services() {
    return Services{*catalog_,
                    *packages_,
                    *secrets_,
                    invoker_,
                    deployer_,
                    *events_,
                    *scheduler_,
                    *logs_,
                    *traces_,
                    *keys_,
                    *audit_,
                    *trail_,
                    store_thread_,
                    disk_,
                    log_readers_,
                    users_,
                    clock_,
                    invoke::TraceRules(),
                    Addresses{},
                    function::DriverName::docker,
                    [this](std::string, function::DriverName driver) -> Task<Result<TakenCode>> {
                      return image_for(driver);
                    },
                    [](std::string_view) -> Result<Done> { return Done{}; },
                    [](bool) -> Task<boost::json::object> { co_return boost::json::object(); },
                    []() -> Task<boost::json::object> { co_return boost::json::object(); },
                    "secret",
                    metrics_,
                    metrics_open_};
  }

  // Any image there is, and for which driver.
  Task<Result<TakenCode>> image_for(function::DriverName driver) {
    image_driver_ = driver;
    TakenCode taken;
    taken.code.sha256 = base64_encode(sha256("image"));
    taken.code.image_uri = "image:1";
    taken.code.image_id = "sha256:1";
    co_return taken;
  }

  // What archives do to the disk's threads, until release().
  void keep_disk_busy() {
    busy_ = true;
    disk_.post([until = std::shared_future<void>(free_.get_future())] { until.wait(); });
  }
  void release() {
    if (std::exchange(busy_, false)) free_.set_value();
  }

  std::unique_ptr<Asked> ask(http::Request request, std::string body, bool slow = false) {
    auto asked = std::make_unique<Asked>();
    request.peer.loopback = true;
    request.headers.add("Host", "localhost");
    asked->request = std::move(request);
    asked->writer.slow = slow;
    asked->body = http::BufferedBody(std::move(body));
    auto on_end = [it = asked.get()](std::exception_ptr thrown) {
      it->ended = true;
      it->thrown = std::move(thrown);
    };
    asio::co_spawn(loop_, handler_->handle(asked->request, asked->body, asked->writer), on_end);
    loop_.restart();
    loop_.poll();
    return asked;
  }
  void finish(const Asked& asked) {
    ASSERT_TRUE(run_until(loop_, [&] { return asked.ended; }));
  }

  store::KeyPtr make_key(const std::string& name, std::string_view scopes,
                         std::vector<std::string> patterns = {}) {
    return keys_->create(name, *store::Grants::make(scopes, std::move(patterns))).value();
  }
  static http::Request asking(const store::KeyPtr& key, std::string method, std::string target) {
    http::Request request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.headers.add("Authorization", "Bearer " + key->token());
    return request;
  }
  static http::Request create_function(const store::KeyPtr& key) {
    return asking(key, "POST", "/2015-03-31/functions");
  }
  // A function in the catalog alone.
  void add_function(const std::string& name) {
    function::Configuration configuration;
    configuration.runtime = "python3.11";
    configuration.handler = "app.handler";
    function::Code code;
    code.sha256 = base64_encode(sha256("a"));
    code.package_digest = hex_encode(sha256("a"));
    ASSERT_TRUE(catalog_->create_function(name, std::move(configuration), code, {}, false));
  }
  static std::string with_code(std::size_t size) {
    return R"({"FunctionName":"greet","Code":{"ZipFile":")" + std::string(size, '*') + R"("}})";
  }

  FakeClock clock_;
  WatchedClock watched_{clock_};
  TemporaryDirectory temporary_;
  std::filesystem::path directory_ = temporary_.path();
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<function::Catalog> catalog_;
  std::unique_ptr<store::KeyTable> keys_;
  std::unique_ptr<function::SecretTable> secrets_;
  std::unique_ptr<function::PackageStore> packages_;
  std::unique_ptr<observe::LogStore> logs_;
  std::unique_ptr<observe::TraceStore> traces_;
  invoke::RefusingInvoker invoker_;
  ScriptedDeployer deployer_;
  std::unique_ptr<store::GroupCommit> commits_;
  std::unique_ptr<store::AuditTable> audit_;
  std::unique_ptr<AuditTrail> trail_;
  std::unique_ptr<events::WebhookSender> webhooks_;
  std::unique_ptr<events::EventQueue> events_;
  std::unique_ptr<events::Scheduler> scheduler_;
  std::unique_ptr<access::Authenticator> authenticator_;
  std::optional<function::DriverName> image_driver_;
  std::promise<void> free_;
  bool busy_ = false;
  Loop loop_{1};
  BlockingPool store_thread_{"store", 1};
  BlockingPool disk_{"disk", 1};
  BlockingPool log_readers_{"log-readers", 1};
  BlockingPool users_{"users", 1};
  ScriptedMetrics metrics_;
  bool metrics_open_ = false;
  std::unique_ptr<ApiHandler> handler_;
};

}  // namespace lambda::api
