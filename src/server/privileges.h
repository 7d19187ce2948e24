// From root to the server's own user. Blocking, at the start, before there are threads.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace lambda::server {

struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// Errors: not_found, with the line that makes the user.
Result<User> find_user(const std::string& name);
[[nodiscard]] std::optional<gid_t> find_group(const std::string& name);
// The group that owns a socket, so that the server may go on using it ("/run/docker.sock").
[[nodiscard]] std::optional<gid_t> group_of(const std::filesystem::path& path);

// Gives the data directory to the user (0711), made where it is missing. One that is there is taken
// where it is empty or was lambdad's already (it holds lambda.db, lambda.lock or spawn.lock and is
// root's or the user's); a link is followed first. Everything else stays as it is. Errors: denied,
// saying what is there instead.
Result<Done> give_directory(const std::filesystem::path& directory, const User& user);
// For good: groups, gid, uid, no way back, no new privileges, not dumpable. `keep` are
// supplementary groups.
Result<Done> become(const User& user, const std::vector<gid_t>& keep);

}  // namespace lambda::server
