#include "sandbox/docker/server_mark.h"

#include "base/crypto.h"

#include <fstream>
#include <sys/stat.h>

namespace lambda::sandbox::docker {

namespace fs = std::filesystem;

Result<ServerMark> ServerMark::load(const fs::path& data_directory) {
  ServerMark mark;
  mark.run = random_uuid();
  mark.directory = fs::absolute(data_directory) / "docker";
  std::error_code error;
  fs::create_directories(mark.directory, error);
  if (!error) mark.directory = fs::canonical(mark.directory, error);
  if (!error) fs::permissions(mark.directory, fs::perms::owner_all, error);
  struct stat info {};
  if (error || ::stat(mark.directory.c_str(), &info) != 0) {
    return fail(ErrorCode::denied, "make {}: {}", mark.directory.string(), error.message());
  }
  // The inode tells a copied data directory from its original.
  const fs::path file = mark.directory / "id";
  const auto inode = std::to_string(info.st_ino);
  std::string of_inode;
  std::ifstream(file) >> mark.id >> of_inode;
  if (!mark.id.empty() && of_inode == inode) return mark;
  mark.id = random_text(16, "abcdefghijklmnopqrstuvwxyz0123456789");
  std::ofstream written(file, std::ios::trunc);
  written << mark.id << ' ' << inode << '\n';
  written.close();
  if (!written) return fail(ErrorCode::internal, "write {}", file.string());
  return mark;
}

}  // namespace lambda::sandbox::docker
