#include "server/doctor_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::server {
namespace {

using testing::HasSubstr;

MachineFacts good_machine() {
  MachineFacts machine;
  machine.kernel = "6.1.0-18-amd64";
  machine.seccomp = true;
  machine.user_namespaces = 10'000;
  machine.cgroup_v2 = true;
  machine.controllers = {"cpu", "memory", "pids"};
  machine.pid_max = 4'194'304;
  machine.open_files = 1'048'576;
  machine.clock_kept = true;
  machine.data = {"/data", 50ull << 30, 100ull << 30, 1'000'000, 2'000'000, ""};
  return machine;
}

ServerState good_server() {
  ServerState server;
  server.native = server.driver_works = server.docker_works = true;
  server.runtimes = {"python3.11"};
  server.port = 80;
  server.most_instances = 500;
  return server;
}

Check check_named(const std::string& name, const MachineFacts& machine, const ServerState& server) {
  for (auto& check : checks_of(machine, server)) {
    if (check.name == name) return check;
  }
  ADD_FAILURE() << "no check " << name;
  return {};
}

TEST(Doctor, FindsNothingWhereAllIsWell) {
  for (const auto& check : checks_of(good_machine(), good_server())) {
    EXPECT_EQ(check.health, Health::ok) << check.name << ": " << check.meaning;
    EXPECT_EQ(check.meaning, "") << check.name;
  }
}

TEST(Doctor, SaysWhatEveryTroubleMeans) {
  MachineFacts machine;
  machine.kernel = "4.19.0";
  machine.clock_kept = false;
  machine.data.problem = "Read-only file system";
  ServerState server;
  server.missing_runtimes = {"python3.11"};
  server.egress_missing = "slirp4netns is not installed";
  server.port_reason = "nginx has it";
  server.exposure = "everybody may deploy";
  server.stalls = 3;
  server.longest_stall_ms = 4'000;
  for (const auto& check : checks_of(machine, server)) {
    EXPECT_NE(check.health, Health::ok) << check.name;
    EXPECT_NE(check.meaning, "") << check.name;
  }
}

TEST(Doctor, FailsOverDockerOnlyWhereNothingElseIsThere) {
  auto server = good_server();
  server.docker_works = false;
  EXPECT_EQ(check_named("docker", good_machine(), server).health, Health::warn);
  server.native = false;
  EXPECT_EQ(check_named("docker", good_machine(), server).health, Health::fail);
}

TEST(Doctor, KnowsWhatTheNativeDriverNeeds) {
  auto machine = good_machine();
  machine.user_namespaces = 0;
  const auto kernel = check_named("kernel", machine, good_server());
  EXPECT_EQ(kernel.health, Health::fail);
  EXPECT_THAT(kernel.mend, HasSubstr("user.max_user_namespaces"));
  machine.kernel = "5.4.0";
  EXPECT_THAT(check_named("kernel", machine, good_server()).meaning, HasSubstr("5.7 or newer"));
  machine.controllers = {"memory", "pids"};
  EXPECT_EQ(check_named("cgroups", machine, good_server()).health, Health::warn);
  machine.controllers = {"cpu", "pids"};
  EXPECT_EQ(check_named("cgroups", machine, good_server()).health, Health::fail);
  auto in_docker = good_server();
  in_docker.native = false;
  EXPECT_EQ(check_named("cgroups", machine, in_docker).health, Health::warn);
}

TEST(Doctor, SeesADiskThatGetsFull) {
  auto machine = good_machine();
  machine.data.free_bytes = 500ull << 20;
  EXPECT_EQ(check_named("disk", machine, good_server()).health, Health::warn);
  machine.data.free_bytes = 1 << 20;
  EXPECT_EQ(check_named("disk", machine, good_server()).health, Health::fail);
  machine = good_machine();
  machine.data.free_inodes = 5;
  EXPECT_THAT(check_named("disk", machine, good_server()).meaning, HasSubstr("Only 5 more files"));
  machine.data.all_inodes = 0;
  EXPECT_EQ(check_named("disk", machine, good_server()).health, Health::ok);
}

TEST(Doctor, ComparesProcessesWithInstances) {
  auto machine = good_machine();
  machine.pid_max = 1'000;
  EXPECT_THAT(check_named("limits", machine, good_server()).meaning,
              HasSubstr("some 250 instances"));
}

TEST(Doctor, TellsChecksAsJson) {
  const auto json = checks_json({{"disk", Health::warn, "1 MB", "little", "df"}});
  EXPECT_EQ(boost::json::serialize(json),
            R"([{"name":"disk","health":"warn","found":"1 MB","meaning":"little","mend":"df"}])");
}

}  // namespace
}  // namespace lambda::server
