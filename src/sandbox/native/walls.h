// The walls of a sandbox, one by one, so that a test can show what each of them holds: it runs
// attacks with one of them left out (tests/security/walls_test.py). lambda-spawn always builds all
// of them and has no option that leaves one out; the program that has one is made for tests only.
#pragma once

namespace lambda::sandbox::native {

struct Walls {
  // System calls and privileges.
  bool seccomp = true;
  bool capabilities = true;  // none, not even in the bounding set; securebits
  bool no_new_privs = true;
  bool own_user = true;  // a user that no other sandbox has
  // Namespaces. Without mount_namespace there is one all the same (pivot_root would move
  // lambda-spawn itself), but what lambda-spawn sees stays mounted in it.
  bool user_namespace = true;
  bool pid_namespace = true;
  bool mount_namespace = true;
  bool network_namespace = true;
  bool ipc_namespace = true;
  bool uts_namespace = true;
  bool cgroup_namespace = true;
  // Mounts.
  bool read_only = true;    // root and code
  bool mount_flags = true;  // nosuid, nodev, noexec
  bool masked_proc = true;  // files of /proc that tell about the machine
  bool settings = true;     // /proc/sys is read-only
  bool own_devices = true;  // five of them, instead of the machine's
  bool descriptors = true;  // nothing that lambda-spawn has open
  // Limits.
  bool processes = true;
  bool memory = true;
  bool tmp_size = true;
  bool shared_memory_size = true;
  bool ended_first = true;  // oom_score_adj
  // What nobody reaches, and private networks: of every sandbox that has a way out.
  bool egress_rules = true;

  bool operator==(const Walls&) const = default;
};

}  // namespace lambda::sandbox::native
