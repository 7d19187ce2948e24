// Forgetting images beside deploys, with an Engine that knows one image; what the real one does is
// shown by tests/e2e/images_test.py.
#include "sandbox/image/docker_image_builder.h"

#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "http/server.h"
#include "sandbox/image/image_pins.h"

#include <gtest/gtest.h>

#include <optional>
#include <sys/utsname.h>

namespace lambda::sandbox::image {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr const char* kId = "sha256:0123";

// Answers every look at an image, and keeps what it was asked.
class Engine final : public http::Handler {
 public:
  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override {
    asked.push_back(request.method + " " + request.target);
    auto text = co_await http::read_all(body, 65'536);
    if (request.target.find("/containers/create") != std::string::npos) created = text.value_or("");
    http::Response response;
    response.headers.add("Api-Version", "1.41");
    utsname names{};
    ::uname(&names);
    const std::string machine = names.machine;
    response.body = fmt::format(
        R"({{"Id":"{}","Size":1,"Os":"linux","Architecture":"{}","Config":{{"Labels":{{"lambda.server":"me"}}}}}})",
        kId, machine == "x86_64" ? "amd64" : "arm64");
    [[maybe_unused]] const auto sent = co_await writer.send(std::move(response));
  }
  [[nodiscard]] bool deleted() const {
    return std::ranges::any_of(asked, [](const auto& line) { return line.starts_with("DELETE"); });
  }
  std::vector<std::string> asked;
  std::string created;  // the body of the last container
};

class ForgettingTest : public testing::Test {
 protected:
  void SetUp() override {
    http::ListenAddress address;
    address.unix_path = directory_ / "docker.sock";
    auto listening = http::listen_on(address);
    ASSERT_TRUE(listening) << listening.error().message();
    server_.emplace(std::vector<Loop*>{&loop_}, engine_, http::ServerLimits{});
    server_->add_listener(std::move(*listening));
    docker::ServerMark mark;
    mark.id = "me";
    mark.run = "now";
    auto made = DockerImageBuilder::create(
        std::make_shared<docker::EngineClient>(address.unix_path, users_), mark, directory_);
    ASSERT_TRUE(made) << made.error().message();
    builder_ = std::move(*made);
    fs::create_directories(root());
  }
  void TearDown() override {
    builder_.reset();
    run_on(loop_, server_->drain(std::chrono::steady_clock::now() + seconds(5)));
  }

  Result<Done> forget(bool used) {
    std::function<bool()> in_use = [used] { return used; };
    return run_on(loop_, builder_->forget(kId, std::move(in_use)));
  }
  [[nodiscard]] fs::path root() const { return directory_ / "images" / "0123" / "rootfs"; }

  BlockingPool users_{"users", 1};
  Loop loop_{1};
  TemporaryDirectory temporary_;
  fs::path directory_ = temporary_.path();
  Engine engine_;
  std::optional<http::Server> server_;
  std::unique_ptr<DockerImageBuilder> builder_;
};

TEST_F(ForgettingTest, AnImageThatADeployHasLookedAtStaysUntilTheDeployIsDone) {
  {
    const auto deployed = run_on(loop_, builder_->inspect("mine:1"));
    ASSERT_TRUE(deployed) << deployed.error().message();
    EXPECT_EQ(run_on(loop_, builder_->export_root(deployed->id)).value_or(fs::path()), root());
    const auto forgotten = forget(false);
    ASSERT_FALSE(forgotten);
    EXPECT_EQ(forgotten.error().code(), ErrorCode::conflict);
    EXPECT_TRUE(fs::exists(root()));
    EXPECT_FALSE(engine_.deleted());
  }
  EXPECT_TRUE(forget(false));
  EXPECT_FALSE(fs::exists(root()));
  EXPECT_TRUE(engine_.deleted());
}

TEST_F(ForgettingTest, AnExportsContainerIsOfThisRun) {
  EXPECT_FALSE(run_on(loop_, builder_->export_root("sha256:4567")))
      << "this Engine exports nothing";
  EXPECT_NE(engine_.created.find(
                R"("Labels":{"lambda":"export","lambda.server":"me","lambda.run":"now"})"),
            std::string::npos)
      << engine_.created;
}

TEST_F(ForgettingTest, AnImageThatAVersionHasComeToUseStays) {
  EXPECT_TRUE(forget(true));
  EXPECT_TRUE(fs::exists(root()));
  EXPECT_FALSE(engine_.deleted());
}

TEST_F(ForgettingTest, ALookWaitsForAnImageThatIsGoing) {
  std::function<bool()> unused = [] { return false; };
  const auto forgotten = begin_on(loop_, builder_->forget(kId, std::move(unused)));
  const auto deployed = run_on(loop_, builder_->inspect("mine:1"));
  EXPECT_TRUE(deployed);
  EXPECT_TRUE(forgotten->done());
  EXPECT_EQ(engine_.asked.back(), "GET /v1.41/images/mine%3A1/json");
}

TEST(ImagePins, NothingGoesWhileABuildMayComeToUseIt) {
  ImagePins pins;
  auto build = pins.keep_all();
  EXPECT_TRUE(build);
  EXPECT_FALSE(pins.take_away("a"));
  auto first = pins.pin("a");
  auto second = pins.pin("a");
  build.reset();
  first.reset();
  EXPECT_FALSE(pins.take_away("a"));
  auto other = pins.take_away("b");
  EXPECT_TRUE(other);
  EXPECT_FALSE(pins.keep_all());
  other.reset();
  EXPECT_TRUE(pins.keep_all());
  second.reset();
  EXPECT_TRUE(pins.take_away("a"));
}

TEST(ImagePins, AHoldMayOutliveThem) {
  auto pins = std::make_unique<ImagePins>();
  const auto pin = pins->pin("a");
  pins.reset();
}

}  // namespace
}  // namespace lambda::sandbox::image
