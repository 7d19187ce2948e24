#include "sandbox/docker/container_request.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace lambda::sandbox::docker {
namespace {

namespace json = boost::json;

SandboxSpec spec() {
  SandboxSpec made;
  made.id = "abc";
  made.function = "greet";
  made.version = "3";
  made.runtime = "python3.11";
  made.task_directory = "/data/packages/x/code";
  made.argv = {"/usr/bin/python3"};
  made.environment = {{"SECRET", "s3cret"}};
  made.memory_bytes = 128ull << 20;
  made.tmp_bytes = 512ull << 20;
  made.processes = 100;
  return made;
}

ContainerPlan plan() {
  ContainerPlan made;
  made.image = "lambda/python:3.11";
  made.server = "me";
  made.run = "now";
  made.init_program = "/data/docker/lambda-init";
  made.control_directory = "/data/docker/abc";
  return made;
}

json::object body_of(const SandboxSpec& from, const ContainerPlan& with) {
  return json::parse(container_body(from, with)).as_object();
}

TEST(ContainerRequest, RunsInitAsTheUnprivilegedUser) {
  const auto body = body_of(spec(), plan());
  EXPECT_EQ(body.at("Image"), "lambda/python:3.11");
  EXPECT_EQ(body.at("User"), "993:990");
  EXPECT_EQ(body.at("Entrypoint"), (json::array{"/run/lambda-init"}));
  EXPECT_EQ(body.at("Cmd"),
            (json::array{"--socket", "/run/lambda/init.sock", "--memory", "134217728"}));
}

TEST(ContainerRequest, TellsTheEngineNoSecretOfTheFunction) {
  EXPECT_EQ(container_body(spec(), plan()).find("s3cret"), std::string::npos);
}

TEST(ContainerRequest, SecretsAsFilesGetATmpfsForThemAlone) {
  auto with = spec();
  EXPECT_FALSE(
      body_of(with, plan()).at("HostConfig").at("Tmpfs").as_object().contains("/run/secrets"));
  with.secret_files = {{"TOKEN", "s3cret"}, {"CERT", std::string(5'000, 'x')}};
  const auto body = body_of(with, plan());
  const std::string tmpfs(body.at("HostConfig").at("Tmpfs").at("/run/secrets").as_string());
  EXPECT_EQ(tmpfs, "rw,noexec,nosuid,nodev,mode=0700,uid=993,gid=990,size=12288,nr_inodes=3");
  const auto text = container_body(with, plan());
  EXPECT_EQ(text.find("s3cret"), std::string::npos);
  EXPECT_EQ(text.find("TOKEN"), std::string::npos);
}

TEST(ContainerRequest, SetsEveryLimit) {
  const auto body = body_of(spec(), plan());
  const auto& host = body.at("HostConfig").as_object();
  const std::int64_t hard = (128 + 512 + 32) * (1 << 20);
  EXPECT_EQ(host.at("Memory"), hard);
  EXPECT_EQ(host.at("MemorySwap"), hard);
  EXPECT_EQ(host.at("PidsLimit"), 101);
  EXPECT_EQ(host.at("CpuShares"), 1024 * 128 / 1769);
  EXPECT_EQ(host.at("OomScoreAdj"), 500);
  EXPECT_EQ(host.at("ReadonlyRootfs"), true);
  EXPECT_EQ(host.at("CapDrop"), json::array{"ALL"});
  const auto& options = host.at("SecurityOpt").as_array();
  ASSERT_EQ(options.size(), 2u);
  EXPECT_EQ(options[0], "no-new-privileges");
  EXPECT_TRUE(options[1].as_string().starts_with("seccomp={"));
  EXPECT_EQ(host.at("CgroupnsMode"), "private");
  EXPECT_EQ(json::serialize(host.at("Ulimits")), R"([{"Name":"core","Soft":1,"Hard":1}])");
  EXPECT_EQ(host.at("NetworkMode"), "none");
  EXPECT_EQ(host.at("ShmSize"), 64 << 20);
  const std::string tmp(host.at("Tmpfs").at("/tmp").as_string());
  EXPECT_NE(tmp.find("size=536870912"), std::string::npos) << tmp;
}

TEST(ContainerRequest, AsksForNoFilterOfAnEngineThatHasNone) {
  auto without = plan();
  without.seccomp = false;
  EXPECT_EQ(body_of(spec(), without).at("HostConfig").at("SecurityOpt"),
            json::array{"no-new-privileges"});
}

TEST(ContainerRequest, MountsNothingThatCanBeWritten) {
  auto with = plan();
  with.volumes = {"/data"};
  const auto body = body_of(spec(), with);
  const auto& queues = body.at("HostConfig").at("Tmpfs").at("/dev/mqueue").as_string();
  EXPECT_TRUE(queues.starts_with("ro,")) << queues;
  const auto& mounts = body.at("HostConfig").at("Mounts").as_array();
  ASSERT_EQ(mounts.size(), 4u);
  for (const auto& mount : mounts) EXPECT_EQ(mount.at("ReadOnly"), true) << mount;
  EXPECT_EQ(mounts[2].at("Source"), "/data/packages/x/code");
  EXPECT_EQ(mounts[2].at("Target"), "/var/task");
  EXPECT_EQ(mounts[3].at("Type"), "volume");
  EXPECT_EQ(mounts[3].at("Source"), "lambda-abc-0");
  EXPECT_EQ(mounts[3].at("Target"), "/data");
  EXPECT_EQ(mounts[3].at("VolumeOptions").at("Labels").at("lambda.server"), "me");
  EXPECT_EQ(mounts[3].at("VolumeOptions").at("Labels").at("lambda.run"), "now");
}

TEST(ContainerRequest, AnImageHasItsOwnCode) {
  auto from = spec();
  from.task_directory.clear();
  EXPECT_EQ(container_body(from, plan()).find("/var/task"), std::string::npos);
}

TEST(ContainerRequest, CarriesItsServersLabel) {
  const auto body = body_of(spec(), plan());
  EXPECT_EQ(body.at("Labels").at("lambda.server"), "me");
  EXPECT_EQ(body.at("Labels").at("lambda.run"), "now");
  EXPECT_EQ(body.at("Labels").at("lambda.function"), "greet");
  EXPECT_EQ(own_filter("me"), "%7B%22label%22%3A%5B%22lambda.server%3Dme%22%5D%7D");
}

}  // namespace
}  // namespace lambda::sandbox::docker
