// Which functions can take a runtime that was started before they were known.
#include "pool/sandbox_spec.h"

#include "base/clock.h"
#include "base/temporary_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lambda::pool {
namespace {

class StemOfSpec : public ::testing::Test {
 protected:
  StemOfSpec() {
    const auto directory = temporary_.path() / "python3.11";
    std::filesystem::create_directories(directory);
    std::ofstream(directory / "runtime.json")
        << R"({"name": "python3.11", "family": "python", "argv": ["python3", "bootstrap.py"], "stem": true})";
    runtimes_ = sandbox::RuntimeCatalog::load(temporary_.path()).value();
    version_.function = "greet";
    version_.configuration.runtime = "python3.11";
    version_.configuration.handler = "app.handler";
  }
  sandbox::SandboxSpec spec(function::SecretValues secrets = {}) {
    const SpecInput input{version_,    tenant_,      runtimes_, "/code",
                          "instance1", clock_.now(), egress_,   std::move(secrets)};
    return make_spec(input).value();
  }
  void set(const std::string& name, const std::string& value) {
    version_.configuration.environment = std::map<std::string, std::string>{{name, value}};
  }

  TemporaryDirectory temporary_;
  sandbox::RuntimeCatalog runtimes_;
  function::Tenant tenant_;
  EgressRule egress_;
  function::Version version_;
  FakeClock clock_;
};

TEST_F(StemOfSpec, KnowsNothingOfTheFunction) {
  set("WORD", "secret");
  const auto stem = spec().stem_environment;
  EXPECT_EQ(stem.at("AWS_LAMBDA_RUNTIME_API"), "127.0.0.1:9001");
  EXPECT_EQ(stem.at("TZ"), ":UTC");
  EXPECT_TRUE(stem.contains("PATH"));
  for (const char* name : {"WORD", "_HANDLER", "AWS_LAMBDA_FUNCTION_NAME"})
    EXPECT_FALSE(stem.contains(name)) << name;
}

TEST_F(StemOfSpec, IsTheSameForEveryFunctionOfTheRuntime) {
  const auto one = spec().stem_environment;
  version_.function = "other";
  version_.configuration.memory_mb = 1024;
  EXPECT_EQ(spec().stem_environment, one);
}

TEST_F(StemOfSpec, IsNoneWhereTheFunctionSetsWhatIsReadAtTheStart) {
  for (const char* name : {"PYTHONPATH", "LD_PRELOAD", "TZ", "LANG", "NODE_OPTIONS", "PATH"}) {
    set(name, "/var/task/own");
    EXPECT_TRUE(spec().stem_environment.empty()) << name;
  }
  set("TZ", ":UTC");  // as it is anyhow
  EXPECT_FALSE(spec().stem_environment.empty());
}

TEST_F(StemOfSpec, ReachesWhatTheServerSaysUnlessTheFunctionDoes) {
  EXPECT_FALSE(spec().egress.out);
  egress_ = parse_egress("internet").value();
  EXPECT_EQ(to_string(spec().egress), "internet");
  version_.configuration.egress = "10.1.0.0/16";
  EXPECT_EQ(to_string(spec().egress), "10.1.0.0/16");
  version_.configuration.egress = "none";
  EXPECT_FALSE(spec().egress.out);
}

TEST_F(StemOfSpec, IsNoneWhereASecretDoes) {
  function::SecretValues secrets;
  secrets.environment.emplace("PYTHONSTARTUP", "x");
  EXPECT_TRUE(spec(secrets).stem_environment.empty());
}

TEST_F(StemOfSpec, IsNoneWithAWrapperOrForAnHttpFunction) {
  set("AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper");
  EXPECT_TRUE(spec().stem_environment.empty());
  version_.configuration.environment.reset();
  version_.configuration.kind = function::Kind::http;
  EXPECT_TRUE(spec().stem_environment.empty());
}

}  // namespace
}  // namespace lambda::pool
