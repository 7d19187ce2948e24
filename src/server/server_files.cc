#include "server/server_files.h"

#include "base/unique_fd.h"

#include <boost/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::server {

namespace fs = std::filesystem;

Result<Done> write_file(const fs::path& path, std::string_view text, mode_t mode) {
  const fs::path temporary = path.string() + ".new";
  ::unlink(temporary.c_str());
  const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!file) return fail(Error::from_errno("create " + temporary.string()));
  if (::fchmod(file.get(), mode) != 0)
    return fail(Error::from_errno("set the mode of " + temporary.string()));
  const ssize_t written = ::write(file.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()))
    return fail(Error::from_errno("write " + temporary.string()));
  if (::fsync(file.get()) != 0) return fail(Error::from_errno("sync " + temporary.string()));
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return fail(Error::from_errno("rename to " + path.string()));
  return Done{};
}

void ServerFile::remove_earlier() {
  ::unlink(path_.c_str());
}

Result<Done> ServerFile::write(const ServerFacts& facts) {
  boost::json::object file;
  file["url"] = facts.url;
  file["domain"] = facts.domain;
  file["port"] = facts.port;
  file["portReason"] = facts.port_reason;
  file["exposure"] = facts.exposure;
  file["addresses"] = boost::json::array(facts.addresses.begin(), facts.addresses.end());
  file["driver"] = facts.driver;
  file["driverWorks"] = facts.driver_works;
  file["driverReason"] = facts.driver_reason;
  file["docker"] = facts.docker;
  file["socket"] = facts.socket;
  file["socketFile"] = facts.socket_file;
  file["version"] = facts.version;
  file["pid"] = ::getpid();
  const std::scoped_lock lock(mutex_);
  if (removed_) return Done{};
  return write_file(path_, boost::json::serialize(file) + "\n", 0644);
}

void ServerFile::remove() {
  const std::scoped_lock lock(mutex_);
  removed_ = true;
  ::unlink(path_.c_str());
}

}  // namespace lambda::server
