// The control API as a whole, without sockets: what may keep a loop from its other requests.
#include "api/api_handler.h"

#include "access/sigv4.h"
#include "api/code_request.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "events/queue/event_queue.h"
#include "events/webhook/sender.h"
#include "invoke/refusing_invoker.h"
#include "store/database.h"
#include "store/group_commit.h"
#include "store/master_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace lambda::api {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

using DeployScript = Task<Result<deploy::DeployReport>> (*)(deploy::Progress&,
                                                            deploy::DeployFailure&);

class ScriptedDeployer final : public deploy::Deployer {
 public:
  Task<Result<deploy::DeployReport>> deploy(deploy::DeployRequest, http::BodyReader&,
                                            deploy::Progress& progress,
                                            deploy::DeployFailure& failure) override {
    co_return co_await script(progress, failure);
  }
  [[nodiscard]] Result<Done> check(const deploy::DeployRequest&) const override { return Done{}; }
  DeployScript script = nullptr;
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

class ApiHandlerTest : public testing::Test {
 public:
  ApiHandlerTest() {
    database_ = std::move(*store::Database::open_in_memory());
    catalog_ = std::move(*function::Catalog::load(*database_, clock_, function::Tenant{}));
    keys_ = std::move(*store::KeyTable::load(*database_, clock_, store::MasterKey::ephemeral(),
                                             "000000000000", "us-east-1"));
    packages_ = std::move(*function::PackageStore::open(directory_));
    logs_ = std::move(*observe::LogStore::open(directory_ / "logs"));
    access::Authenticator::Options options;
    options.account = "000000000000";
    authenticator_ = std::make_unique<access::Authenticator>(*keys_, clock_, options);
    commits_ = std::make_unique<store::GroupCommit>(*database_, store_thread_);
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
  ~ApiHandlerTest() override { release(); }

  Services services() {
    return Services{*catalog_,
                    *packages_,
                    invoker_,
                    deployer_,
                    *events_,
                    *scheduler_,
                    *logs_,
                    store_thread_,
                    disk_,
                    users_,
                    clock_,
                    Addresses{},
                    function::DriverName::docker,
                    [this](std::string, function::DriverName driver) -> Task<Result<TakenCode>> {
                      return image_for(driver);
                    },
                    [](std::string_view) -> Result<Done> { return Done{}; },
                    [](bool) -> Task<boost::json::object> { co_return boost::json::object(); },
                    "secret"};
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

  http::Request create_function(const store::Key& key) {
    http::Request request;
    request.method = "POST";
    request.target = "/2015-03-31/functions";
    request.headers.add("Authorization", "Bearer lam_" + key.id + "_" + key.secret);
    return request;
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
  std::unique_ptr<function::PackageStore> packages_;
  std::unique_ptr<observe::LogStore> logs_;
  invoke::RefusingInvoker invoker_;
  ScriptedDeployer deployer_;
  std::unique_ptr<store::GroupCommit> commits_;
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
  BlockingPool users_{"users", 1};
  std::unique_ptr<ApiHandler> handler_;
};

TEST_F(ApiHandlerTest, ParsesALargeBodyBesideTheLoop) {
  const auto key = keys_->create("test", "*");
  ASSERT_TRUE(key);
  keep_disk_busy();
  const auto small = ask(create_function(*key), R"({"FunctionName":5})");
  EXPECT_TRUE(small->ended);
  const auto large = ask(create_function(*key), "[" + with_code(1'000'000) + "]");
  EXPECT_FALSE(large->ended);
  release();
  finish(*large);
  EXPECT_EQ(large->writer.sent->status, 400u);
  EXPECT_THAT(large->writer.sent->body, HasSubstr("it is not a JSON object"));
}

TEST_F(ApiHandlerTest, ChecksTheSignatureOfALargeBodyBesideTheLoop) {
  const auto key = keys_->create("test", "*");
  ASSERT_TRUE(key);
  const auto sign = [&](const std::string& body) {
    access::Signature signature;
    signature.key_id = key->id;
    signature.date = "20260102";
    signature.region = "us-east-1";
    signature.service = "lambda";
    signature.time = "20260102T030405Z";
    signature.signed_headers = {"host"};
    http::Request request;
    request.method = "PUT";  // no operation: whoever is known is told so
    request.target = "/2015-03-31/functions";
    http::Request as_sent = request;
    as_sent.headers.add("Host", "localhost");
    const auto text = string_to_sign(signature, canonical_request(as_sent, signature, body));
    const auto value = hex_encode(hmac_sha256(signing_key(signature, key->secret), text));
    request.headers.add("X-Amz-Date", signature.time);
    request.headers.add("Authorization",
                        "AWS4-HMAC-SHA256 Credential=" + key->id +
                            "/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host, "
                            "Signature=" +
                            value);
    return request;
  };
  keep_disk_busy();
  const auto small = ask(sign("{}"), "{}");
  ASSERT_TRUE(small->ended);
  EXPECT_THAT(small->writer.sent->body, HasSubstr("PUT is not possible here"));
  const auto body = with_code(1'000'000);
  const auto large = ask(sign(body), body);
  EXPECT_FALSE(large->ended);
  release();
  finish(*large);
  EXPECT_THAT(large->writer.sent->body, HasSubstr("PUT is not possible here"));
}

TEST_F(ApiHandlerTest, AnImageIsMadeReadyForTheDriverThatTheFunctionRemembers) {
  const auto key = keys_->create("test", "*");
  const auto made = ask(create_function(*key), R"({"FunctionName":"greet","PackageType":"Image",
      "Role":"arn:aws:iam::000000000000:role/r","Code":{"ImageUri":"image:1"}})");
  finish(*made);
  ASSERT_EQ(made->writer.sent->status, 201u) << made->writer.sent->body;
  EXPECT_EQ(image_driver_, function::DriverName::docker);
  EXPECT_EQ(catalog_->resolve("greet", "")->version->configuration.driver,
            function::DriverName::docker);
  auto to_native = [](function::Configuration settings) -> Result<function::Configuration> {
    settings.driver = function::DriverName::native;
    return settings;
  };
  ASSERT_TRUE(catalog_->update_configuration("greet", to_native, ""));
  auto request = create_function(*key);
  request.method = "PUT";
  request.target = "/2015-03-31/functions/greet/code";
  const auto updated = ask(std::move(request), R"({"ImageUri":"image:1"})");
  finish(*updated);
  ASSERT_EQ(updated->writer.sent->status, 200u) << updated->writer.sent->body;
  EXPECT_EQ(image_driver_, function::DriverName::native);
  EXPECT_EQ(catalog_->resolve("greet", "")->version->configuration.driver,
            function::DriverName::native);
}

TEST_F(ApiHandlerTest, EventsAndSchedulesOfNoFunctionAreRefusedWithTheNameThatWasMeant) {
  function::Configuration configuration;
  configuration.runtime = "python3.11";
  configuration.handler = "app.handler";
  function::Code code;
  code.sha256 = base64_encode(sha256("a"));
  code.package_digest = hex_encode(sha256("a"));
  ASSERT_TRUE(catalog_->create_function("greet", std::move(configuration), code, {}, false));
  const auto refusal = [&](const std::string& target) {
    http::Request request;
    request.method = "GET";
    request.target = "/_lambda/" + target;
    request.peer.unix_uid = 0;
    const auto asked = ask(std::move(request), "");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 404u);
    const auto body = boost::json::parse(asked->writer.sent->body).as_object();
    return std::string(body.at("message").as_string());
  };
  for (const char* target :
       {"queue?function=gret", "functions/gret/events", "functions/gret/schedules"}) {
    EXPECT_EQ(refusal(target), R"(there is no function "gret"; did you mean "greet"?)") << target;
  }
  EXPECT_EQ(refusal("queue?function=nobody"),
            R"(there is no function "nobody"; `lambda list` shows those that there are)");
  EXPECT_EQ(refusal("functions/nobody/events"),
            R"(there is no function "nobody"; `lambda list` shows those that there are)");
  EXPECT_EQ(refusal("functions/nobody/schedules"),
            R"(there is no function "nobody"; `lambda list` shows those that there are)");
}

http::Request deploy_request() {
  http::Request request;
  request.method = "POST";
  request.target = "/_lambda/functions/greet/deploy";
  request.headers.add("X-Lambda-Settings", base64_encode(R"({"source":"zip"})"));
  request.peer.unix_uid = 0;
  return request;
}

TEST_F(ApiHandlerTest, ADeployThatFallsLeavesNoWriterBehind) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    progress.begin_step(1, "Receiving");
    co_await sleep_for(0ms);
    throw std::runtime_error("no more room");
  };
  const auto deploy = ask(deploy_request(), "", true);
  loop_.restart();
  loop_.run_for(50ms);
  EXPECT_TRUE(deploy->writer.begun);
  EXPECT_FALSE(deploy->ended);  // a line is still being written
  deploy->writer.may_go_on.set();
  finish(*deploy);
  EXPECT_TRUE(deploy->thrown);
  EXPECT_THAT(deploy->writer.written, HasSubstr("Receiving"));
  EXPECT_FALSE(deploy->writer.finished);
}

TEST_F(ApiHandlerTest, ADeploysLinesAreTextWhateverTheFunctionWrote) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure& failure) -> Task<Result<deploy::DeployReport>> {
    progress.output("built \xC3");
    failure.log =
        "gr\xFC\xDF"
        "e \xE2\x82";
    failure.function_payload = "{\"errorMessage\":\"\xFF\"}";
    co_return fail(ErrorCode::function_failed, "it wrote {}", "\xC0");
  };
  const auto deploy = ask(deploy_request(), "");
  finish(*deploy);
  EXPECT_TRUE(is_valid_utf8(deploy->writer.written));
  std::istringstream lines(deploy->writer.written);
  std::string line;
  boost::json::object last;
  while (std::getline(lines, line)) last = boost::json::parse(line).as_object();
  EXPECT_EQ(last.at("event"), "error");
  EXPECT_EQ(last.at("log"),
            "gr\xEF\xBF\xBD\xEF\xBF\xBD"
            "e \xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(ApiHandlerTest, AChattyBuildFillsNoMemoryForASlowClient) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    progress.begin_step(2, "Building");
    for (int i = 0; i < 1000; ++i) progress.output(std::string(64 * 1024, 'x'));
    progress.end_step(2, "Done.");
    co_await sleep_for(0ms);
    co_return fail(ErrorCode::function_failed, "it did not load");
  };
  const auto deploy = ask(deploy_request(), "", true);
  loop_.restart();
  loop_.run_for(50ms);
  deploy->writer.may_go_on.set();
  finish(*deploy);
  const auto& written = deploy->writer.written;
  EXPECT_LT(written.size(), 5u << 20);
  EXPECT_GT(written.size(), 3u << 20);
  EXPECT_THAT(written, HasSubstr("bytes of output are left out here"));
  EXPECT_LT(written.find("left out here"), written.find("\"end\""));
  EXPECT_THAT(written.substr(written.size() - 300), HasSubstr("it did not load"));
}

TEST_F(ApiHandlerTest, KnowsWhoIsOnTheSocketWhileTheDiskIsBusy) {
  keep_disk_busy();
  http::Request request;
  request.method = "GET";
  request.target = "/_lambda/status";
  for (const std::uint32_t uid : {0u, static_cast<std::uint32_t>(::geteuid())}) {
    request.peer.unix_uid = uid;
    const auto known = ask(request, "");
    ASSERT_TRUE(known->ended);
    EXPECT_EQ(known->writer.sent->status, 200u);
  }
  request.peer.unix_uid = 4'000'000'000;  // nobody has that one
  const auto stranger = ask(request, "");
  finish(*stranger);
  EXPECT_EQ(stranger->writer.sent->status, 403u);
  EXPECT_THAT(stranger->writer.sent->body, HasSubstr("the user with id 4000000000"));
}

}  // namespace
}  // namespace lambda::api
