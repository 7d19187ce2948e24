// Steps: own mount and network namespace, private -> copies of the two directories -> tmpfs root
// with /dev and /files -> pivot_root -> the host's mounts are gone.
#include "sandbox/native/workspace.h"

#include "sandbox/native/cgroup_files.h"
#include "sandbox/native/mount_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace lambda::sandbox::native {
namespace {

struct Device {
  const char* name;
  unsigned major;
  unsigned minor;
};
constexpr Device kDevices[] = {
    {"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}};

struct Link {
  const char* name;
  const char* target;
};
constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},
                           {"stdin", "/proc/self/fd/0"},
                           {"stdout", "/proc/self/fd/1"},
                           {"stderr", "/proc/self/fd/2"}};

// Image roots come from `docker export`, which leaves /etc/hosts empty.
constexpr std::string_view kHosts =
    "127.0.0.1\tlocalhost lambda\n::1\tlocalhost ip6-localhost ip6-loopback\n";

// Of sandboxes that have a way out. In the others names fail at once.
constexpr std::string_view kResolver = "nameserver 198.18.0.3\nnameserver fd00::3\n";

Result<Done> make_directory(const std::string& path, mode_t mode = 0755) {
  if (::mkdir(path.c_str(), mode) != 0) return fail(Error::from_errno("make " + path));
  return Done{};
}

// A node of our own, or, where making one is forbidden (inside some containers), the host's.
Result<Done> add_device(const std::string& directory, const Device& device) {
  const std::string path = directory + "/" + device.name;
  if (::mknod(path.c_str(), S_IFCHR | 0666, ::makedev(device.major, device.minor)) == 0 &&
      ::chmod(path.c_str(), 0666) == 0) {
    const UniqueFd usable(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (usable) return Done{};
    ::unlink(path.c_str());
  }
  const UniqueFd place_holder(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
  if (!place_holder) return fail(Error::from_errno("make " + path));
  auto tree = copy_tree(std::string("/dev/") + device.name);
  if (!tree) return fail(std::move(tree.error()));
  return place(tree->get(), path);
}

Result<Done> fill_devices(const std::string& directory) {
  for (const auto& device : kDevices) {
    if (auto added = add_device(directory, device); !added) return added;
  }
  for (const auto& link : kLinks) {
    if (::symlink(link.target, (directory + "/" + link.name).c_str()) != 0)
      return fail(Error::from_errno(std::string("link /dev/") + link.name));
  }
  return make_directory(directory + "/shm");
}

Result<Done> mount_tmpfs(const std::string& path, const char* size) {
  auto tmpfs = make_file_system("tmpfs", {{"size", size}, {"mode", "0755"}}, 0);
  if (!tmpfs) return fail(std::move(tmpfs.error()));
  return place(tmpfs->get(), path);
}

// `top` becomes the root of this process, and whatever was mounted before is unmounted.
Result<Done> change_root(const std::string& top) {
  if (::chdir(top.c_str()) != 0) return fail(Error::from_errno("enter " + top));
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return fail(Error::from_errno("pivot_root"));
  if (::umount2(".", MNT_DETACH) != 0) return fail(Error::from_errno("unmount the host's root"));
  if (::chdir("/") != 0) return fail(Error::from_errno("enter the new root"));
  return Done{};
}

// What the workspace holds, below `top`.
Result<Done> build(const std::string& top, const std::string& data_directory,
                   const std::string& runtimes_directory, const Walls& walls) {
  auto data = copy_tree(data_directory, true);
  if (!data) return fail(std::move(data.error()));
  const bool runtimes = ::access(runtimes_directory.c_str(), F_OK) == 0;
  Result<UniqueFd> base = UniqueFd();
  if (runtimes) base = copy_tree(runtimes_directory, true);
  if (!base) return fail(std::move(base.error()));
  UniqueFd devices;
  if (!walls.own_devices) {
    auto all = copy_tree("/dev", true);
    if (!all) return fail(std::move(all.error()));
    devices = std::move(*all);
  }
  if (auto done = mount_tmpfs(top, "1m"); !done) return done;
  for (const char* name : {kDataMount, kRuntimesMount, kDeviceTemplate, "/files", kRootMount}) {
    if (auto made = make_directory(top + name); !made) return made;
  }
  if (auto done = place(data->get(), top + kDataMount); !done) return done;
  if (runtimes) {
    if (auto done = place(base->get(), top + kRuntimesMount); !done) return done;
  }
  const auto own_devices = top + kDeviceTemplate;
  auto done = devices ? place(devices.get(), own_devices) : mount_tmpfs(own_devices, "64k");
  if (done && !devices) done = fill_devices(own_devices);
  if (!done) return done;
  for (const auto& [path, text] : {std::pair(kHostsFile, kHosts), {kResolverFile, kResolver}}) {
    const UniqueFd file(::open((top + path).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    if (!file || ::write(file.get(), text.data(), text.size()) < 0)
      return fail(Error::from_errno(std::string("write ") + path));
  }
  return Done{};
}

}  // namespace

Result<UniqueFd> enter_workspace(const std::string& data_directory,
                                 const std::string& runtimes_directory, const Walls& walls,
                                 bool own_network) {
  int own_namespaces = CLONE_NEWNS;
  if (walls.network_namespace && !own_network) own_namespaces |= CLONE_NEWNET;
  if (walls.ipc_namespace) own_namespaces |= CLONE_NEWIPC;
  if (::unshare(own_namespaces) != 0)
    return fail(Error::from_errno("make a mount, network and ipc namespace"));
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail(Error::from_errno("make mounts private"));
  UniqueFd own(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!own) return fail(Error::from_errno("open /proc/self/ns/mnt"));
  // Any directory will do: it is covered in this namespace only, and left right away.
  const std::string& top = data_directory;
  if (auto built = build(top, data_directory, runtimes_directory, walls); !built)
    return fail(std::move(built.error()));
  if (auto changed = change_root(top); !changed) return fail(std::move(changed.error()));
  return own;
}

}  // namespace lambda::sandbox::native
