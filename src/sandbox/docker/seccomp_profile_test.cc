#include "sandbox/docker/seccomp_profile.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <cerrno>
#include <string_view>
#include <vector>

namespace lambda::sandbox::docker {
namespace {

namespace json = boost::json;

std::vector<json::object> rules_of(std::string_view name) {
  std::vector<json::object> found;
  const auto profile = json::parse(seccomp_profile()).as_object();
  for (const auto& rule : profile.at("syscalls").as_array()) {
    if (rule.at("names") == json::array{name}) found.push_back(rule.as_object());
  }
  return found;
}

TEST(SeccompProfile, KnowsNothingOfWhatIsNotListed) {
  const auto profile = json::parse(seccomp_profile()).as_object();
  EXPECT_EQ(profile.at("defaultAction"), "SCMP_ACT_ERRNO");
  EXPECT_EQ(profile.at("defaultErrnoRet"), ENOSYS);
  for (const char* name : {"mount", "ptrace", "io_uring_setup", "bpf", "unshare", "memfd_secret"})
    EXPECT_TRUE(rules_of(name).empty()) << name;
  ASSERT_EQ(rules_of("clone3").size(), 1u);
  EXPECT_EQ(rules_of("clone3")[0].at("errnoRet"), ENOSYS);
}

TEST(SeccompProfile, CarriesTheConditions) {
  ASSERT_EQ(rules_of("getpid").size(), 1u);
  EXPECT_FALSE(rules_of("getpid")[0].contains("args"));
  const auto calls = rules_of("memfd_create");
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(json::serialize(calls[0].at("args")),
            R"([{"index":1,"value":4,"op":"SCMP_CMP_MASKED_EQ","valueTwo":0}])");
  EXPECT_EQ(calls[1].at("errnoRet"), ENODEV);
  EXPECT_EQ(rules_of("fsync")[0].at("errnoRet"), 0);
  EXPECT_EQ(rules_of("socketpair")[0].at("args").at(0).at("op"), "SCMP_CMP_EQ");
}

}  // namespace
}  // namespace lambda::sandbox::docker
