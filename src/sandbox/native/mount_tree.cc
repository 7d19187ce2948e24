#include "sandbox/native/mount_tree.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/syscall.h>

namespace lambda::sandbox::native {

Result<UniqueFd> open_below(const std::string& base, const std::string& below) {
  const UniqueFd directory(::open(base.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail(Error::from_errno("open " + base));
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd found(
      static_cast<int>(::syscall(SYS_openat2, directory.get(), below.c_str(), &how, sizeof(how))));
  if (!found) return fail(Error::from_errno("open the directory " + below));
  return found;
}

Result<UniqueFd> copy_tree(int fd, bool with_submounts) {
  const unsigned recursive = with_submounts ? AT_RECURSIVE : 0u;
  UniqueFd tree(
      ::open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive));
  if (!tree) return fail(Error::from_errno("copy a mount"));
  return tree;
}

Result<UniqueFd> copy_tree(const std::string& path, bool with_submounts) {
  const UniqueFd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd) return fail(Error::from_errno("open " + path));
  return copy_tree(fd.get(), with_submounts);
}

Result<UniqueFd> copy_below(const std::string& base, const std::string& below,
                            std::uint64_t attributes) {
  auto directory = open_below(base, below);
  if (!directory) return directory;
  auto tree = copy_tree(directory->get());
  if (!tree) return tree;
  if (auto done = set_attributes(tree->get(), attributes); !done)
    return fail(std::move(done.error()));
  return tree;
}

Result<UniqueFd> read_only_copy(const std::string& base, const std::string& below) {
  constexpr std::uint64_t kReadOnly = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return copy_below(base, below, kReadOnly);
}

Result<Done> set_attributes(int tree, std::uint64_t attributes) {
  mount_attr attr{};
  attr.attr_set = attributes;
  if (::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) != 0)
    return fail(Error::from_errno("set a mount's attributes"));
  return Done{};
}

Result<UniqueFd> make_file_system(const char* type,
                                  const std::vector<std::pair<std::string, std::string>>& options,
                                  std::uint64_t attributes) {
  const UniqueFd context(::fsopen(type, FSOPEN_CLOEXEC));
  if (!context) return fail(Error::from_errno(std::string("make a file system of type ") + type));
  for (const auto& [key, value] : options) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) != 0)
      return fail(Error::from_errno(std::string("set ") + key + " of a " + type));
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return fail(Error::from_errno(std::string("create a ") + type));
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(attributes)));
  if (!mount) return fail(Error::from_errno(std::string("mount a ") + type));
  return mount;
}

Result<Done> change_file_system(int mount,
                                const std::vector<std::pair<std::string, std::string>>& options) {
  const UniqueFd context(::fspick(mount, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC));
  if (!context) return fail(Error::from_errno("open a file system to change it"));
  for (const auto& [key, value] : options) {
    if (::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0) != 0)
      return fail(Error::from_errno("set " + key + " of a file system"));
  }
  if (::fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) != 0)
    return fail(Error::from_errno("change a file system"));
  return Done{};
}

Result<UniqueFd> open_target(const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  UniqueFd found(
      static_cast<int>(::syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  if (!found) return fail(Error::from_errno("open " + path));
  return found;
}

Result<Done> place(int tree, const UniqueFd& target) {
  if (::move_mount(tree, "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) !=
      0)
    return fail(Error::from_errno("place a mount"));
  return Done{};
}

Result<Done> place(int tree, const std::string& path) {
  auto target = open_target(path);
  if (!target) return fail(std::move(target.error()));
  if (auto done = place(tree, *target); !done)
    return fail(std::move(done.error()), "mount at {}", path);
  return Done{};
}

}  // namespace lambda::sandbox::native
