// Steps: copies of the mounts of what is in /run -> an empty tmpfs over it -> the copies, on mount
// points made there -> read-only -> /run/secrets.
#include "sandbox/native/run_directory.h"

#include "base/unique_fd.h"
#include "sandbox/init/protocol.h"
#include "sandbox/native/mount_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <string>
#include <string_view>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace lambda::sandbox::native {
namespace {

constexpr const char* kRun = "/run";
constexpr const char* kSecrets = "secrets";
// Each becomes a mount. An image that has more there is no image that starts a function.
constexpr std::size_t kMostEntries = 64;
constexpr std::uint64_t kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

struct Entry {
  std::string name;
  UniqueFd tree;  // of a directory or file
  bool directory = false;
  std::string target;  // of a link
};

Result<UniqueFd> open_run() {
  UniqueFd run(::open(kRun, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (run) return run;
  return fail(Error::from_errno("open /run"),
              "secrets as files need a directory /run in the root file system (no link)");
}

Result<Done> keep_entry(int run, const char* name, std::vector<Entry>& entries) {
  Entry entry;
  entry.name = name;
  struct stat status {};
  if (::fstatat(run, name, &status, AT_SYMLINK_NOFOLLOW) != 0) return Done{};
  if (S_ISLNK(status.st_mode)) {
    char target[4096];
    const auto size = ::readlinkat(run, name, target, sizeof(target));
    if (size <= 0) return Done{};
    entry.target.assign(target, static_cast<std::size_t>(size));
  } else if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) {
    entry.directory = S_ISDIR(status.st_mode);
    const UniqueFd fd(::openat(run, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return fail(Error::from_errno("open what is in /run"));
    auto tree = copy_tree(fd.get());
    if (!tree) return fail(std::move(tree.error()));
    entry.tree = std::move(*tree);
  } else {
    return Done{};
  }
  entries.push_back(std::move(entry));
  return Done{};
}

Result<std::vector<Entry>> keep_entries() {
  auto run = open_run();
  if (!run) return fail(std::move(run.error()));
  const std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(run->release()), ::closedir);
  if (!list) return fail(Error::from_errno("list /run"));
  std::vector<Entry> entries;
  while (const dirent* item = ::readdir(list.get())) {
    const std::string_view name = item->d_name;
    if (name == "." || name == ".." || name == kSecrets) continue;
    if (entries.size() == kMostEntries) {
      return fail(ErrorCode::sandbox_failed,
                  "secrets as files need a /run with at most {} entries in the root file system: "
                  "empty it, or ask for the secrets as environment variables",
                  kMostEntries);
    }
    if (auto kept = keep_entry(::dirfd(list.get()), item->d_name, entries); !kept)
      return fail(std::move(kept.error()));
  }
  return entries;
}

Result<Done> put_back(int run, const Entry& entry) {
  const char* name = entry.name.c_str();
  if (!entry.tree) {
    if (::symlinkat(entry.target.c_str(), run, name) != 0)
      return fail(Error::from_errno("make a link in /run"));
    return Done{};
  }
  if (entry.directory) {
    if (::mkdirat(run, name, 0755) != 0) return fail(Error::from_errno("make a directory in /run"));
  } else {
    const UniqueFd made(::openat(run, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
    if (!made) return fail(Error::from_errno("make a file in /run"));
  }
  const UniqueFd target(::openat(run, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!target) return fail(Error::from_errno("open a mount point in /run"));
  return place(entry.tree.get(), target);
}

Result<Done> place_secrets(std::uint32_t files, std::uint64_t bytes, uid_t owner) {
  const auto user = std::to_string(owner);
  auto secrets = make_file_system("tmpfs",
                                  {{"size", std::to_string(bytes)},
                                   {"nr_inodes", std::to_string(files + 1)},
                                   {"mode", "0700"},
                                   {"uid", user},
                                   {"gid", user}},
                                  kAttributes);
  if (!secrets) return fail(std::move(secrets.error()));
  return place(secrets->get(), std::string(init::kSecretDirectory));
}

}  // namespace

Result<Done> place_run_directory(std::uint32_t files, std::uint64_t bytes, uid_t owner) {
  auto entries = keep_entries();
  if (!entries) return fail(std::move(entries.error()));
  auto tmpfs = make_file_system("tmpfs", {{"size", "64k"}, {"mode", "0755"}}, kAttributes);
  if (!tmpfs) return fail(std::move(tmpfs.error()));
  if (auto done = place(tmpfs->get(), std::string(kRun)); !done) return done;
  {
    auto run = open_run();
    if (!run) return fail(std::move(run.error()));
    for (const auto& entry : *entries) {
      if (auto done = put_back(run->get(), entry); !done) return done;
    }
    if (::mkdirat(run->get(), kSecrets, 0755) != 0)
      return fail(Error::from_errno("make /run/secrets"));
  }
  if (auto done = set_attributes(tmpfs->get(), MOUNT_ATTR_RDONLY | kAttributes); !done) return done;
  return place_secrets(files, bytes, owner);
}

}  // namespace lambda::sandbox::native
