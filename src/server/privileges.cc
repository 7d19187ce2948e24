#include "server/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::server {

namespace fs = std::filesystem;

Result<User> find_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    return fail(ErrorCode::not_found,
                "there is no user \"{}\" for lambdad to become: make it with `adduser --system "
                "--group --no-create-home "
                "{}`, or choose another with --user",
                name, name);
  }
  return User{name, entry->pw_uid, entry->pw_gid};
}

std::optional<gid_t> find_group(const std::string& name) {
  const group* entry = ::getgrnam(name.c_str());
  return entry == nullptr ? std::nullopt : std::optional<gid_t>(entry->gr_gid);
}

std::optional<gid_t> group_of(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_gid;
}

Result<Done> become(const User& user, const std::vector<gid_t>& keep) {
  if (::setgroups(keep.size(), keep.data()) != 0)
    return fail(Error::from_errno("set the groups of lambdad"));
  if (::setresgid(user.gid, user.gid, user.gid) != 0)
    return fail(Error::from_errno("become group of " + user.name));
  if (::setresuid(user.uid, user.uid, user.uid) != 0)
    return fail(Error::from_errno("become user " + user.name));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail(Error::from_errno("give up new privileges"));
  // Memory holds keys: no core file, no ptrace by others of the same user.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return fail(Error::from_errno("become undumpable"));
  if (user.uid != 0 && ::setuid(0) == 0)
    return fail(ErrorCode::internal, "lambdad could become root again");
  return Done{};
}

}  // namespace lambda::server
