// Steps: a copy of the code's mount, while the workspace can be seen -> into the sandbox's mount
// namespace -> both are placed -> back.
#include "sandbox/native/mount_injection.h"

#include "sandbox/native/mount_tree.h"
#include "sandbox/native/run_directory.h"
#include "sandbox/native/workspace.h"

#include <cstdlib>
#include <sched.h>

namespace lambda::sandbox::native {
namespace {

Result<Done> place_inside(const UniqueFd& task, const Injection& injection) {
  if (task) {
    auto done = place(task.get(), "/var/task");
    if (!done) {
      return fail(std::move(done.error()),
                  "the root file system needs a directory /var/task (no link)");
    }
  }
  if (injection.secret_files == 0) return Done{};
  return place_run_directory(injection.secret_files, injection.secret_bytes, injection.owner);
}

}  // namespace

Result<Done> inject(const UniqueFd& pid_one, const UniqueFd& workspace,
                    const Injection& injection) {
  UniqueFd task;
  if (!injection.task.empty()) {
    auto copied = read_only_copy(kDataMount, injection.task);
    if (!copied) return fail(std::move(copied.error()), "the function's code");
    task = std::move(*copied);
  }
  if (::setns(pid_one.get(), CLONE_NEWNS) != 0)
    return fail(Error::from_errno("enter the sandbox's mount namespace"));
  auto done = place_inside(task, injection);
  if (::setns(workspace.get(), CLONE_NEWNS) != 0) std::abort();
  return done;
}

}  // namespace lambda::sandbox::native
