// lambda-spawn with walls left out, so that walls_test.py can show that each of them holds
// something:
//
//   lambda-spawn-unwalled --without WALL[,WALL...] <the arguments of lambda-spawn>
//
//   lambda-spawn-unwalled --calls
//                                prints the numbers of the system calls that there is a rule for
//
// The same library as lambda-spawn, which has no such option.
#include "sandbox/native/spawn_program.h"
#include "sandbox/system_call_rules.h"

#include <seccomp.h>

#include <cstdio>
#include <string_view>

namespace {

using lambda::sandbox::native::Walls;

struct Named {
  std::string_view name;
  bool Walls::*wall;
};
constexpr Named kWalls[] = {
    {"seccomp", &Walls::seccomp},
    {"capabilities", &Walls::capabilities},
    {"no_new_privs", &Walls::no_new_privs},
    {"own_user", &Walls::own_user},
    {"user_namespace", &Walls::user_namespace},
    {"pid_namespace", &Walls::pid_namespace},
    {"mount_namespace", &Walls::mount_namespace},
    {"network_namespace", &Walls::network_namespace},
    {"ipc_namespace", &Walls::ipc_namespace},
    {"uts_namespace", &Walls::uts_namespace},
    {"cgroup_namespace", &Walls::cgroup_namespace},
    {"read_only", &Walls::read_only},
    {"mount_flags", &Walls::mount_flags},
    {"masked_proc", &Walls::masked_proc},
    {"settings", &Walls::settings},
    {"own_devices", &Walls::own_devices},
    {"descriptors", &Walls::descriptors},
    {"processes", &Walls::processes},
    {"memory", &Walls::memory},
    {"tmp_size", &Walls::tmp_size},
    {"shared_memory_size", &Walls::shared_memory_size},
    {"ended_first", &Walls::ended_first},
    {"egress_rules", &Walls::egress_rules},
};
static_assert(sizeof(kWalls) / sizeof(kWalls[0]) == sizeof(Walls), "every wall has a name");

bool leave_out(std::string_view name, Walls& walls) {
  for (const auto& known : kWalls) {
    if (known.name != name) continue;
    walls.*known.wall = false;
    return true;
  }
  return false;
}

int print_calls() {
  for (const auto& rule : lambda::sandbox::system_call_rules()) {
    const int number = ::seccomp_syscall_resolve_name(rule.name);
    if (number >= 0) std::printf("%d\n", number);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Walls walls;
  if (argc == 2 && std::string_view(argv[1]) == "--calls") return print_calls();
  if (argc < 3 || std::string_view(argv[1]) != "--without") return 2;
  for (std::string_view names = argv[2]; !names.empty();) {
    const auto end = names.find(',');
    if (!leave_out(names.substr(0, end), walls)) {
      std::fprintf(stderr, "there is no wall %s\n", argv[2]);
      return 2;
    }
    names.remove_prefix(end == std::string_view::npos ? names.size() : end + 1);
  }
  // Less the option: run_spawn reads pairs of a name and a value behind the program's own name.
  argv[2] = argv[0];
  return lambda::sandbox::native::run_spawn(argc - 2, argv + 2, walls);
}
