#include "sandbox/docker/seccomp_profile.h"

#include "sandbox/system_call_rules.h"

#include <boost/json.hpp>

#include <cerrno>

namespace lambda::sandbox::docker {
namespace {

namespace json = boost::json;

// Calls of another that the processor runs as well (32-bit, x32) end the process.
constexpr const char* kArchitecture =
#if defined(__x86_64__)
    "SCMP_ARCH_X86_64";
#else
    "SCMP_ARCH_AARCH64";
#endif

json::object argument_of(const ArgumentIs& argument) {
  json::object made;
  made["index"] = argument.index;
  made["value"] = argument.value;
  switch (argument.comparison) {
    case Comparison::equal:
      made["op"] = "SCMP_CMP_EQ";
      break;
    case Comparison::not_equal:
      made["op"] = "SCMP_CMP_NE";
      break;
    case Comparison::greater:
      made["op"] = "SCMP_CMP_GT";
      break;
    case Comparison::masked_equal:
      made["op"] = "SCMP_CMP_MASKED_EQ";
      made["value"] = argument.mask;
      made["valueTwo"] = argument.value;
      break;
  }
  return made;
}

json::object rule_of(const SystemCallRule& rule) {
  json::object made;
  made["names"] = json::array{rule.name};
  made["action"] = "SCMP_ACT_ALLOW";
  if (rule.answer != SystemCallRule::kMade) {
    made["action"] = "SCMP_ACT_ERRNO";
    made["errnoRet"] = rule.answer;
  }
  json::array arguments;
  for (const auto& argument : rule.arguments) arguments.push_back(argument_of(argument));
  if (!arguments.empty()) made["args"] = std::move(arguments);
  return made;
}

std::string make_profile() {
  json::array calls;
  for (const auto& rule : system_call_rules()) calls.push_back(rule_of(rule));
  json::object profile;
  profile["defaultAction"] = "SCMP_ACT_ERRNO";
  profile["defaultErrnoRet"] = ENOSYS;
  // Older Engines know no default error and say EPERM, after which the C library would make no
  // thread: it has to hear that there is no clone3.
  json::object clone3;
  clone3["names"] = json::array{"clone3"};
  clone3["action"] = "SCMP_ACT_ERRNO";
  clone3["errnoRet"] = ENOSYS;
  calls.push_back(std::move(clone3));
  profile["architectures"] = json::array{kArchitecture};
  profile["syscalls"] = std::move(calls);
  return json::serialize(profile);
}

}  // namespace

const std::string& seccomp_profile() {
  static const std::string profile = make_profile();
  return profile;
}

}  // namespace lambda::sandbox::docker
