#include "sandbox/docker/control_socket.h"

#include "base/loop_runner.h"
#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sys/resource.h>

namespace lambda::sandbox::docker {
namespace {

namespace fs = std::filesystem;

class ControlSockets : public testing::Test {
 protected:
  Result<UniqueFd> accept(ControlSocket& socket, std::chrono::milliseconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    return run_on(loop_, socket.accept(deadline));
  }

  Loop loop_{1};
  TemporaryDirectory temporary_;
  fs::path directory_ = temporary_.path();
};

TEST_F(ControlSockets, NobodyUntilTheDeadlineIsNoConnection) {
  auto socket = ControlSocket::make(directory_ / "one");
  ASSERT_TRUE(socket) << socket.error().message();
  const auto nobody = accept(*socket, std::chrono::milliseconds(1));
  ASSERT_TRUE(nobody) << nobody.error().message();
  EXPECT_FALSE(*nobody);
}

TEST_F(ControlSockets, WithoutDescriptorsItIsAnError) {
  auto socket = ControlSocket::make(directory_ / "one");
  ASSERT_TRUE(socket) << socket.error().message();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(accept(*socket, std::chrono::milliseconds(1)));  // what the loop itself needs is open
  const rlimit none{1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto refused = accept(*socket, std::chrono::milliseconds(1));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("Too many open files"), std::string::npos)
      << refused.error().message();
}

}  // namespace
}  // namespace lambda::sandbox::docker
