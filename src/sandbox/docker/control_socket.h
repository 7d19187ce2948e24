// ControlSocket: the directory that is mounted into one container, with the socket that its
// lambda-init connects to. Takes one connection; then socket and directory are removed, so that
// nothing inside can connect a second time.
// Threads: one loop. The directory goes with its owner.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <filesystem>

namespace lambda::sandbox::docker {

class ControlSocket {
 public:
  // Makes `directory`, whose parent is private to the server.
  static Result<ControlSocket> make(std::filesystem::path directory);
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;
  ~ControlSocket();

  // An empty UniqueFd at the deadline.
  Task<Result<UniqueFd>> accept(std::chrono::steady_clock::time_point deadline);
  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }

 private:
  ControlSocket(std::filesystem::path directory, UniqueFd listener);
  void remove();

  std::filesystem::path directory_;
  UniqueFd listener_;
};

}  // namespace lambda::sandbox::docker
