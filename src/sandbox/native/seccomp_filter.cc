#include "sandbox/native/seccomp_filter.h"

#include "base/unique_fd.h"
#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/privileges.h"
#include "sandbox/system_call_rules.h"

#include <seccomp.h>

#include <cstring>
#include <linux/seccomp.h>
#include <memory>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

using Context = std::unique_ptr<void, decltype(&::seccomp_release)>;

Error compile_error(const std::string& what, int result) {
  return Error::from_errno("compile the seccomp filter: " + what, -result);
}

scmp_arg_cmp comparison_of(const ArgumentIs& argument) {
  switch (argument.comparison) {
    case Comparison::not_equal:
      return {argument.index, SCMP_CMP_NE, argument.value, 0};
    case Comparison::greater:
      return {argument.index, SCMP_CMP_GT, argument.value, 0};
    case Comparison::masked_equal:
      return {argument.index, SCMP_CMP_MASKED_EQ, argument.mask, argument.value};
    case Comparison::equal:
      break;
  }
  return {argument.index, SCMP_CMP_EQ, argument.value, 0};
}

Result<Done> add(const Context& context, const SystemCallRule& rule) {
  const int number = ::seccomp_syscall_resolve_name(rule.name);
  if (number == __NR_SCMP_ERROR) return Done{};  // newer than this libseccomp
  const auto action = rule.answer == SystemCallRule::kMade
                          ? SCMP_ACT_ALLOW
                          : SCMP_ACT_ERRNO(static_cast<std::uint32_t>(rule.answer));
  std::vector<scmp_arg_cmp> conditions;
  for (const auto& argument : rule.arguments) conditions.push_back(comparison_of(argument));
  const int result = ::seccomp_rule_add_array(
      context.get(), action, number, static_cast<unsigned>(conditions.size()), conditions.data());
  // -EDOM: not on this architecture.
  if (result != 0 && result != -EDOM) return fail(compile_error(rule.name, result));
  return Done{};
}

Result<SeccompFilter> exported(const Context& context) {
  const UniqueFd file(::memfd_create("filter", MFD_CLOEXEC));
  if (!file) return fail(Error::from_errno("make room for the seccomp filter"));
  if (const int result = ::seccomp_export_bpf(context.get(), file.get()); result != 0)
    return fail(compile_error("export", result));
  const auto bytes = read_again(file.get());
  if (!bytes) return fail(Error(bytes.error()));
  SeccompFilter filter(bytes->size() / sizeof(sock_filter));
  std::memcpy(filter.data(), bytes->data(), filter.size() * sizeof(sock_filter));
  return filter;
}

}  // namespace

Result<SeccompFilter> compile_seccomp_filter() {
  const Context context(::seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), &::seccomp_release);
  if (!context) return fail(ErrorCode::unavailable, "libseccomp cannot make a filter here");
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  // A binary tree instead of one comparison after the other: 9 steps instead of up to 300.
  ::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const auto& rule : system_call_rules()) {
    if (auto added = add(context, rule); !added) return fail(std::move(added.error()));
  }
  return exported(context);
}

Result<Done> install(const SeccompFilter& filter) {
  if (const char* failed = install_filter(filter.data(), filter.size()))
    return fail(Error::from_errno(failed));
  return Done{};
}

}  // namespace lambda::sandbox::native
