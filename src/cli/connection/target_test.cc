#include "cli/connection/target.h"

#include "base/crypto.h"
#include "base/file_identity.h"
#include "base/unique_fd.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/file.h>
#include <sys/stat.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

const std::string kOneKey = "lam_" + std::string(20, 'A') + "_" + std::string(40, 'a');
const std::string kOtherKey = "lam_" + std::string(20, 'B') + "_" + std::string(40, 'b');

// A home directory of its own, with nothing in it.
class FindTarget : public testing::Test {
 public:
  FindTarget() : home_(fs::path(testing::TempDir()) / ("home-" + random_uuid())) {
    fs::create_directories(home_ / ".config/lambda");
    ::setenv("HOME", home_.c_str(), 1);
    ::setenv("LAMBDA_DATA_DIR", (home_ / "data").c_str(), 1);
    for (const char* name : {"LAMBDA_HOST", "LAMBDA_API_KEY", "LAMBDA_CONTEXT", "XDG_CONFIG_HOME"})
      ::unsetenv(name);
  }
  ~FindTarget() override {
    for (const char* name : {"LAMBDA_HOST", "LAMBDA_API_KEY", "LAMBDA_CONTEXT", "LAMBDA_DATA_DIR"})
      ::unsetenv(name);
    fs::remove_all(home_);
  }
  // It runs: the lock is held.
  void local_server() {
    fs::create_directories(home_ / "data");
    std::ofstream(home_ / "data/server.json") << R"({"url":"http://127.0.0.1:8080","pid":4711,
        "addresses":["127.0.0.1:8080","[::1]:8080"],"socket":"/run/x.sock"})";
    std::ofstream(home_ / "data/admin.key") << kOneKey << "\n";
    std::ofstream(home_ / "data/lambda.lock") << "4711\n";
    lock_.reset(::open((home_ / "data/lambda.lock").c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::flock(lock_.get(), LOCK_EX | LOCK_NB), 0);
  }
  static std::string identity_of(const fs::path& file) {
    struct stat info {};
    EXPECT_EQ(::stat(file.c_str(), &info), 0);
    return file_identity(info);
  }
  void configure(const std::string& text) const {
    std::ofstream(home_ / ".config/lambda/config.toml") << text;
  }
  static Target found(const ConnectionOptions& options = {}) {
    auto target = find_target(options);
    EXPECT_TRUE(target) << target.error().message();
    return target ? *target : Target{};
  }
  fs::path home_;
  UniqueFd lock_;
};

TEST_F(FindTarget, FindsTheServerOnThisMachine) {
  local_server();
  EXPECT_EQ(found().url.host_header, "127.0.0.1:8080");
  EXPECT_EQ(found().key, kOneKey);
}

// Where it listens on no loopback address, a key would be in the clear.
TEST_F(FindTarget, TakesTheSocketOfAServerThatListensBeyondLoopbackAlone) {
  local_server();
  const auto socket = home_ / "lambda.sock";
  const auto write = [&](const std::string& identity) {
    std::ofstream(home_ / "data/server.json")
        << R"({"url":"http://10.0.0.1:8080","pid":4711,"socket":")" + socket.string() +
               R"(","socketFile":")" + identity + R"("})";
  };
  const auto refused = [] {
    const auto target = find_target({});
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code(), ErrorCode::denied);
  };
  write("");
  refused();
  std::ofstream(socket) << "";
  write(identity_of(socket));
  EXPECT_EQ(found().url.endpoint.unix_path, socket);
  // Another server's by now.
  fs::rename(socket, home_ / "before");
  std::ofstream(socket) << "";
  refused();
}

// One that was killed leaves its files, and somebody else may have its port.
TEST_F(FindTarget, BelievesNoServerJsonThatNoServerRunsWith) {
  const auto refused = [this] {
    const auto target = find_target({});
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code(), ErrorCode::unavailable);
    const auto words = (home_ / "data/server.json").string() + " is there, but no server runs";
    EXPECT_NE(target.error().message().find(words), std::string::npos) << target.error().message();
    ConnectionOptions named;
    named.host = "127.0.0.1:8080";
    EXPECT_EQ(found(named).key, "");
  };
  local_server();
  EXPECT_EQ(found().key, kOneKey);
  // Held by one that has not written its own yet.
  std::ofstream(home_ / "data/lambda.lock") << "4712\n";
  refused();
  std::ofstream(home_ / "data/lambda.lock") << "4711\n";
  EXPECT_EQ(found().key, kOneKey);
  lock_.reset();
  refused();
  fs::remove(home_ / "data/lambda.lock");
  refused();
}

// In one of the usual places such a file is passed over.
TEST_F(FindTarget, PassesOverAServerJsonThatNoServerRunsWith) {
  local_server();
  fs::create_directories(home_ / ".local/share");
  fs::rename(home_ / "data", home_ / ".local/share/lambda");
  ::unsetenv("LAMBDA_DATA_DIR");
  EXPECT_EQ(found().key, kOneKey);
  lock_.reset();
  const auto target = find_target({});
  if (target) {
    EXPECT_NE(target->key, kOneKey);
  }
}

// What cannot be read is not said to be absent.
TEST_F(FindTarget, SaysWhereItCannotBeSeenWhetherAServerRuns) {
  fs::create_directories(home_ / "data");
  fs::create_symlink("server.json", home_ / "data/server.json");
  const auto target = find_target({});
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code(), ErrorCode::denied);
  const auto& message = target.error().message();
  EXPECT_NE(message.find("cannot be seen: read " + (home_ / "data/server.json").string()),
            std::string::npos)
      << message;
  EXPECT_EQ(message.find("no server runs"), std::string::npos) << message;
}

TEST_F(FindTarget, PrefersWhatIsNamedNearest) {
  local_server();
  configure("host = \"http://localhost:1\"\nkey = \"" + kOtherKey + "\"\n");
  EXPECT_EQ(found().url.endpoint.port, 8080);
  EXPECT_EQ(found().key, kOneKey);
  ::unsetenv("LAMBDA_DATA_DIR");
  EXPECT_EQ(found().url.endpoint.port, 1);
  EXPECT_EQ(found().key, kOtherKey);
  ::setenv("LAMBDA_API_KEY", kOneKey.c_str(), 1);
  EXPECT_EQ(found().key, kOneKey);
  ::setenv("LAMBDA_HOST", "localhost:2", 1);
  EXPECT_EQ(found().url.endpoint.port, 2);
  ConnectionOptions options;
  options.host = "[::1]:3";
  EXPECT_EQ(found(options).url.endpoint.port, 3);
  EXPECT_EQ(found(options).key, kOneKey);
}

// What a server has left in one of the usual places.
TEST_F(FindTarget, LooksIntoNoDirectoryButTheOneThatIsNamed) {
  local_server();
  fs::create_directories(home_ / ".local/share");
  fs::rename(home_ / "data", home_ / ".local/share/lambda");
  configure("host = \"http://localhost:1\"\nkey = \"" + kOtherKey + "\"\n");
  const auto refused = [this](const char* why) {
    const auto target = find_target({});
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().code(), ErrorCode::unavailable);
    const auto& message = target.error().message();
    for (const auto& words : {(home_ / "data/server.json").string(), std::string(why),
                              "lambdad --data-dir " + (home_ / "data").string()})
      EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  refused("there is no ");
  fs::create_directories(home_ / "data");
  std::ofstream(home_ / "data/server.json") << "{}";
  refused("names no URL");
  // Who names a host as well calls that.
  ::setenv("LAMBDA_API_KEY", kOtherKey.c_str(), 1);
  ::setenv("LAMBDA_HOST", "localhost:2", 1);
  EXPECT_EQ(found().url.endpoint.port, 2);
}

TEST_F(FindTarget, KeepsAnotherHostsKeyFromTheNamedDirectorysServer) {
  local_server();
  fs::remove(home_ / "data/admin.key");
  configure("host = \"http://localhost:1\"\nkey = \"" + kOtherKey + "\"\n");
  const auto refused = find_target({});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::denied);
  EXPECT_NE(refused.error().message().find((home_ / "data/admin.key").string()), std::string::npos);
  ::setenv("LAMBDA_API_KEY", kOneKey.c_str(), 1);
  EXPECT_EQ(found().url.endpoint.port, 8080);
  EXPECT_EQ(found().key, kOneKey);
}

TEST_F(FindTarget, GivesTheLocalKeyToTheLocalServerAlone) {
  local_server();
  const auto socket = home_ / "lambda.sock";
  std::ofstream(socket) << "";
  std::ofstream(home_ / "data/server.json") << R"({"url":"http://127.0.0.1:8080","pid":4711,
          "addresses":["127.0.0.1:8080","[::1]:8080"],"socket":")" +
                                                   socket.string() + R"(","socketFile":")" +
                                                   identity_of(socket) + R"("})";
  ConnectionOptions options;
  options.host = "unix:" + socket.string();
  EXPECT_EQ(found(options).key, kOneKey);
  for (const char* host :
       {"localhost:8080", "http://greet.localhost:8080", "127.0.0.1:8080", "http://[::1]:8080"}) {
    options.host = host;
    EXPECT_EQ(found(options).key, kOneKey) << host;
  }
  // Another port of this machine may be the end of a tunnel.
  for (const char* host : {"https://lambda.example.com", "localhost:8081", "127.0.0.1:80",
                           "127.0.0.2:8080", "unix:/run/x.sock"}) {
    options.host = host;
    EXPECT_EQ(found(options).key, "") << host;
  }
}

TEST_F(FindTarget, SendsTheKeyOfOneHostToNoOther) {
  configure("host = \"https://prod.example:8443\"\nkey = \"" + kOtherKey + "\"\n");
  ConnectionOptions options;
  for (const char* host : {"https://prod.example:8443", "https://PROD.example:8443/behind"}) {
    options.host = host;
    EXPECT_EQ(found(options).key, kOtherKey) << host;
  }
  const auto refused = [&](const char* host) {
    options.host = host;
    const auto target = find_target(options);
    ASSERT_FALSE(target) << host;
    EXPECT_EQ(target.error().code(), ErrorCode::denied);
    for (const char* words : {"config.toml is for https://prod.example:8443", "LAMBDA_API_KEY"})
      EXPECT_NE(target.error().message().find(words), std::string::npos)
          << target.error().message();
  };
  for (const char* host : {"localhost:8080", "https://prod.example", "http://prod.example:8443",
                           "https://prod.example.attacker.example:8443"})
    refused(host);
  ::setenv("LAMBDA_HOST", "localhost:8080", 1);
  refused("");
  // A server on this machine is given its own.
  local_server();
  EXPECT_EQ(found().key, kOneKey);
  refused("localhost:8081");
  ::setenv("LAMBDA_API_KEY", kOneKey.c_str(), 1);
  EXPECT_EQ(found(options).key, kOneKey);
  // A unix socket needs none.
  ::unsetenv("LAMBDA_API_KEY");
  options.host = "unix:/run/x.sock";
  EXPECT_EQ(found(options).key, "");
}

TEST_F(FindTarget, SendsAKeyThatIsKeptForNoHostToWhoeverIsNamed) {
  configure("key = \"" + kOtherKey + "\"\n");
  ConnectionOptions options;
  options.host = "https://lambda.example.com";
  EXPECT_EQ(found(options).key, kOtherKey);
}

TEST_F(FindTarget, SendsNoKeyInTheClearToOthers) {
  ::setenv("LAMBDA_API_KEY", kOneKey.c_str(), 1);
  for (const char* host :
       {"http://10.0.0.1", "lambda.example.com", "http://127.example.com",
        "http://127.0.0.1.example.com", "http://localhost.example.com", "http://[2001:db8::1]"}) {
    ConnectionOptions options;
    options.host = host;
    const auto refused = find_target(options);
    ASSERT_FALSE(refused) << host;
    EXPECT_EQ(refused.error().code(), ErrorCode::denied);
    options.insecure = true;
    EXPECT_TRUE(find_target(options)) << host;
  }
  for (const char* host : {"http://127.9.9.9", "localhost:8080", "http://x.localhost", "[::1]",
                           "https://lambda.example.com", "unix:/run/lambda.sock"}) {
    ConnectionOptions options;
    options.host = host;
    EXPECT_TRUE(find_target(options)) << host;
  }
}

TEST_F(FindTarget, RefusesWhatIsNoUrlAndNoKey) {
  ConnectionOptions options;
  options.host = "ftp://x";
  EXPECT_FALSE(find_target(options));
  options.host = "localhost";
  ::setenv("LAMBDA_API_KEY", "secret", 1);
  const auto refused = find_target(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message().find("secret"), std::string::npos);
  EXPECT_NE(refused.error().message().find("LAMBDA_API_KEY"), std::string::npos);
}

TEST(Key, IsKnownByItsShape) {
  EXPECT_TRUE(looks_like_key(kOneKey));
  EXPECT_FALSE(looks_like_key(""));
  EXPECT_FALSE(looks_like_key(kOneKey + "x"));
  auto quoted = kOneKey;
  quoted[30] = '\'';
  EXPECT_FALSE(looks_like_key(quoted));
}

// --- contexts

const std::string kTwoContexts =
    "context = \"one\"\n[contexts.one]\nhost = \"https://one\"\nkey = \"" + kOneKey +
    "\"\n[contexts.two]\nhost = \"https://two\"\nkey = \"" + kOtherKey + "\"\n[contexts.here]\n";

ConnectionOptions in_context(const std::string& name) {
  ConnectionOptions options;
  options.context = name;
  return options;
}

TEST_F(FindTarget, FollowsTheContextThatIsUsed) {
  ::unsetenv("LAMBDA_DATA_DIR");
  configure(kTwoContexts);
  EXPECT_EQ(found().url.host_header, "one");
  EXPECT_EQ(found().key, kOneKey);
  EXPECT_EQ(found().context, "one");
  ::setenv("LAMBDA_CONTEXT", "two", 1);
  EXPECT_EQ(found().url.host_header, "two");
  EXPECT_EQ(found().key, kOtherKey);
  EXPECT_EQ(found(in_context("one")).key, kOneKey);
}

TEST_F(FindTarget, TakesTheVariablesBeforeAContextButNotBeforeTheOption) {
  configure(kTwoContexts);
  ::setenv("LAMBDA_HOST", "https://three", 1);
  ::setenv("LAMBDA_API_KEY", kOtherKey.c_str(), 1);
  EXPECT_EQ(found().url.host_header, "three");
  EXPECT_EQ(found().key, kOtherKey);
  // The variable's key is that of the variable's host.
  EXPECT_EQ(found(in_context("one")).url.host_header, "one");
  EXPECT_EQ(found(in_context("one")).key, kOneKey);
  ::unsetenv("LAMBDA_HOST");
  EXPECT_EQ(found(in_context("one")).key, kOtherKey);
}

TEST_F(FindTarget, SendsTheKeyOfEachContextToItsOwnHostAlone) {
  configure(kTwoContexts);
  ConnectionOptions named;
  named.host = "https://two";
  EXPECT_EQ(found(named).key, kOtherKey);
  named.host = "https://three";
  const auto other = find_target(named);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::denied);
}

TEST_F(FindTarget, TakesAContextWithoutAHostForThisMachine) {
  local_server();
  configure(kTwoContexts);
  EXPECT_EQ(found(in_context("here")).url.host_header, "127.0.0.1:8080");
  EXPECT_EQ(found(in_context("here")).key, kOneKey);
}

TEST_F(FindTarget, KnowsNoContextThatNobodyMade) {
  configure(kTwoContexts);
  const auto none = find_target(in_context("three"));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::invalid);
  ::setenv("LAMBDA_CONTEXT", "three", 1);
  EXPECT_FALSE(find_target({}));
  ::setenv("LAMBDA_HOST", "https://four", 1);
  EXPECT_EQ(found().url.host_header, "four");
}

}  // namespace
}  // namespace lambda::cli
