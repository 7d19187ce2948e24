#include "sandbox/native/spawn_request.h"

#include <gtest/gtest.h>

#include <cstring>

namespace lambda::sandbox::native {
namespace {

SpawnRequest good() {
  SpawnRequest request;
  request.operation = Operation::start;
  std::strcpy(request.id, "greet-1");
  std::strcpy(request.root, "python3.11");
  std::strcpy(request.task, "packages/abc/files");
  request.memory_bytes = 128u << 20;
  request.tmp_bytes = 512u << 20;
  request.processes = 100;
  return request;
}

bool accepted(const SpawnRequest& request) {
  return check_request(request).has_value();
}

TEST(SpawnRequest, AWholeOneIsAccepted) {
  EXPECT_TRUE(accepted(good()));
}

TEST(SpawnRequest, AStemHasNeitherCodeNorSecrets) {
  auto request = good();
  request.stem = 1;
  EXPECT_FALSE(accepted(request));
  request.task[0] = '\0';
  EXPECT_TRUE(accepted(request));
  request.secret_files = 1;
  request.secret_bytes = 4096;
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, OnlyRuntimesAreForked) {
  auto request = good();
  request.fork = 1;
  EXPECT_TRUE(accepted(request));
  request.root_kind = RootKind::image;
  std::strcpy(request.root, "images/sha/rootfs");
  EXPECT_FALSE(accepted(request));
  request.fork = 0;
  EXPECT_TRUE(accepted(request));
}

TEST(SpawnRequest, WhatFillsAStemIsCheckedAsAStartIs) {
  auto request = good();
  request.operation = Operation::fill;
  request.root[0] = '\0';
  EXPECT_TRUE(accepted(request));
  std::strcpy(request.task, "../x");
  EXPECT_FALSE(accepted(request));
  request = good();
  request.operation = Operation::fill;
  request.memory_bytes = 1;
  EXPECT_FALSE(accepted(request));
  request = good();
  request.operation = Operation::fill;
  request.secret_files = 1'000'000;
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, AWayOutIsWhatItSaysItIs) {
  auto request = good();
  request.egress = Egress::internet;
  EXPECT_TRUE(accepted(request));
  EXPECT_EQ(egress_of(request), (EgressRule{true, {}}));
  request.network_count = 1;  // it names none
  EXPECT_FALSE(accepted(request));
  request.egress = Egress::networks;
  request.networks[0] = NetworkPrefix::parse("10.1.0.0/16").value();
  EXPECT_TRUE(accepted(request));
  EXPECT_EQ(to_string(egress_of(request)), "10.1.0.0/16");
  request.networks[0].address[3] = 1;  // behind the prefix
  EXPECT_FALSE(accepted(request));
  request.networks[0] = NetworkPrefix::parse("10.1.0.0/16").value();
  request.networks[0].bits = 33;
  EXPECT_FALSE(accepted(request));
  request.networks[0] = NetworkPrefix::parse("fd00:1::/32").value();
  EXPECT_TRUE(accepted(request));
  std::memset(&request.networks[0].v6, 7, 1);
  EXPECT_FALSE(accepted(request));
  request = good();
  request.egress = Egress::networks;  // and names none
  EXPECT_FALSE(accepted(request));
  request.network_count = kMostNetworks + 1;
  EXPECT_FALSE(accepted(request));
  request = good();
  request.egress = static_cast<Egress>(3);
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, IdsThatAreFilesOrPathsAreRefused) {
  for (const char* id : {"", "../x", "a/b", "cgroup.procs", "UPPER", "a b", "."}) {
    auto request = good();
    std::strcpy(request.id, id);
    EXPECT_FALSE(accepted(request)) << id;
  }
  auto request = good();
  std::memset(request.id, 'a', sizeof(request.id));  // no end
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, RootsOutsideAreRefused) {
  for (const char* root : {"", "..", "/etc", "a/../..", "python3.11/rootfs", "a//b", "./a"}) {
    auto request = good();
    std::strcpy(request.root, root);
    EXPECT_FALSE(accepted(request)) << root;
  }
  auto request = good();
  request.root_kind = RootKind::image;
  std::strcpy(request.root, "images/sha/rootfs");
  EXPECT_TRUE(accepted(request));
  request.root_kind = static_cast<RootKind>(9);
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, CodeOutsideIsRefused) {
  for (const char* task : {"/etc", "../x", "a/", "a\nb"}) {
    auto request = good();
    std::strcpy(request.task, task);
    EXPECT_FALSE(accepted(request)) << task;
  }
  auto request = good();
  std::memset(request.task, 'a', sizeof(request.task));
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, LimitsMustBeLimits) {
  auto request = good();
  request.memory_bytes = 0;
  EXPECT_FALSE(accepted(request));
  request = good();
  request.memory_bytes = ~0ull;
  EXPECT_FALSE(accepted(request));
  request = good();
  request.processes = 0;
  EXPECT_FALSE(accepted(request));
  request = good();
  request.tmp_bytes = ~0ull;
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, SecretsAsFilesAreBounded) {
  auto request = good();
  request.secret_files = 2;
  request.secret_bytes = 8'192;
  EXPECT_TRUE(accepted(request));
  request.secret_bytes = 0;
  EXPECT_FALSE(accepted(request));
  request.secret_bytes = ~0ull;
  EXPECT_FALSE(accepted(request));
  request.secret_bytes = 8'192;
  request.secret_files = 100'000;
  EXPECT_FALSE(accepted(request));
  request.secret_files = 0;
  EXPECT_FALSE(accepted(request));
}

TEST(SpawnRequest, UnknownOperationsAreRefused) {
  auto request = good();
  request.operation = static_cast<Operation>(77);
  EXPECT_FALSE(accepted(request));
  request.operation = Operation::hello;
  EXPECT_FALSE(accepted(request));
}

}  // namespace
}  // namespace lambda::sandbox::native
