// <data>/server.json tells the local command line where the running server is to be reached, and
// write_file() makes the small files of the data directory. Blocking.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace lambda::server {

// Either the old content or the whole new one, also after a power loss.
Result<Done> write_file(const std::filesystem::path& path, std::string_view text, mode_t mode);

// What the running server says of itself.
struct ServerFacts {
  std::string url;  // "http://127.0.0.1:8080": the API
  std::string domain;
  std::uint16_t port = 0;
  std::string port_reason;  // why not 80
  std::string exposure;     // what other machines may do; "" where none reaches it
  std::vector<std::string> addresses;
  std::string driver;
  bool driver_works = false;
  std::string driver_reason;
  std::string docker;
  std::string socket;
  std::string socket_file;  // file_identity() of the one that this server made
  std::string version;
};
// <data>/server.json. Written under another name and renamed, 0644: it holds no secret. Once it was
// removed it is not written again: a server that stops may still learn something of itself. Any
// thread.
class ServerFile {
 public:
  explicit ServerFile(const std::filesystem::path& data_directory)
      : path_(data_directory / "server.json") {}
  // That of a server which was killed. The directory's lock is held.
  void remove_earlier();
  Result<Done> write(const ServerFacts& facts);
  void remove();

 private:
  std::filesystem::path path_;
  std::mutex mutex_;
  bool removed_ = false;
};

}  // namespace lambda::server
