#include "server/docker_parts.h"

#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

std::function<const char*(const char*)> environment(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

TEST(DockerSocket, TheKeyWinsOverTheEnvironment) {
  const auto variables = environment({{"DOCKER_HOST", "unix:///run/b.sock"}});
  EXPECT_EQ(docker_socket("unix:///run/a.sock", variables).value_or(""), "/run/a.sock");
  EXPECT_EQ(docker_socket("", variables).value_or(""), "/run/b.sock");
}

TEST(DockerSocket, OnlyThisMachinesEngine) {
  const auto socket = docker_socket("", environment({{"DOCKER_HOST", "tcp://10.0.0.1:2375"}}));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::invalid);
  EXPECT_NE(socket.error().message().find("DOCKER_HOST"), std::string::npos);
  EXPECT_FALSE(docker_socket("ssh://host", environment({})));
}

TEST(DockerSocket, NoneTurnsDockerOff) {
  const auto socket = docker_socket("none", environment({{"DOCKER_HOST", "unix:///run/b.sock"}}));
  ASSERT_FALSE(socket);
  EXPECT_EQ(socket.error().code(), ErrorCode::unavailable);
}

TEST(DockerSocket, ARootlessEngineIsFoundWhereTheSystemHasNone) {
  if (fs::exists("/var/run/docker.sock")) {
    EXPECT_EQ(docker_socket("", environment({})).value_or(""), "/var/run/docker.sock");
    return;
  }
  const TemporaryDirectory temporary;
  const fs::path& directory = temporary.path();
  std::ofstream(directory / "docker.sock") << "";
  EXPECT_EQ(docker_socket("", environment({{"XDG_RUNTIME_DIR", directory.string()}})).value_or(""),
            directory / "docker.sock");
}

}  // namespace
}  // namespace lambda::server
