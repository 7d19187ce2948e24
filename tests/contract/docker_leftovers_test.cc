// What a Docker driver finds and removes: what an earlier server of its own data directory left,
// and nothing of anybody else's; and what a start that was cut off leaves.
#include "sandbox/docker/docker_driver.h"
#include "sandbox_probe.h"

#include <csignal>

namespace lambda::sandbox {
namespace {

class DockerLeftovers : public SandboxTest {
 protected:
  void SetUp() override {
    make_host({"docker", make_docker_host});
    other_ = make_docker_host();
  }
  void TearDown() override {
    SandboxTest::TearDown();
    host.reset();
  }
  void expect_gone(const std::string& id) {
    const auto deadline = in_seconds(20);
    while (!host->leftovers(id).empty() && std::chrono::steady_clock::now() < deadline) {
      ASSERT_TRUE(run_on(loop_, sleep_for(std::chrono::milliseconds(10))));
    }
    EXPECT_EQ(host->leftovers(id), "");
  }
  Result<Done> reap(DriverHost& server) {
    return run_on(loop_, dynamic_cast<docker::DockerDriver&>(server.driver()).reap_leftovers());
  }
  std::unique_ptr<DriverHost> other_;
};

TEST_F(DockerLeftovers, AreRemovedByTheirOwnServerAlone) {
  auto sandbox = start(python_spec("import time; time.sleep(600)"));
  ASSERT_TRUE(sandbox) << sandbox.error().message();
  auto paused = start(python_spec("import time; time.sleep(600)"));
  ASSERT_TRUE(paused) << paused.error().message();
  ASSERT_TRUE(run_on(loop_, (*paused)->freeze()));
  auto by_other = reap(*other_);
  ASSERT_TRUE(by_other) << by_other.error().message();
  EXPECT_NE(host->leftovers((*sandbox)->id()), "");
  EXPECT_NE(host->leftovers((*paused)->id()), "");
  auto by_own = reap(*host);
  ASSERT_TRUE(by_own) << by_own.error().message();
  EXPECT_EQ(host->leftovers((*sandbox)->id()), "");
  EXPECT_EQ(host->leftovers((*paused)->id()), "");
  EXPECT_EQ(run_on(loop_, (*sandbox)->wait_exit()).signal, SIGKILL);
}

TEST_F(DockerLeftovers, AStartCutOffAnywhereLeavesNothing) {
  for (const int milliseconds : {1, 20, 60, 120, 200}) {
    auto spec = python_spec("import time; time.sleep(60)");
    const auto id = spec.id;
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    auto started = run_on(loop_, host->driver().start(std::move(spec), deadline));
    if (started) {
      (*started).reset();
    } else {
      EXPECT_EQ(started.error().code(), ErrorCode::timeout) << milliseconds;
    }
    expect_gone(id);
  }
}

TEST_F(DockerLeftovers, AnImageThatIsGoneIsSaidToBe) {
  auto spec = python_spec("");
  spec.runtime.clear();
  spec.image_id = "sha256:" + std::string(64, '0');
  auto started = start(std::move(spec));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::unavailable);
  EXPECT_NE(started.error().message().find("deploy the function again"), std::string::npos)
      << started.error().message();
}

}  // namespace
}  // namespace lambda::sandbox
