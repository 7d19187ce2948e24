// The two files that tell the local command line about this server: <data>/admin.key, the
// administrator's key of the first start, and <data>/server.json, where the running server is to be
// reached. Blocking, at the start.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "store/key_table.h"

#include <filesystem>
#include <string>
#include <vector>

namespace lambda::server {

// Makes the administrator's key where the server has no key at all, and writes it, 0600.
Result<Done> ensure_admin_key(store::KeyTable& keys, const std::filesystem::path& data_directory);

// What the running server says of itself.
struct ServerFacts {
  std::string url;  // "http://127.0.0.1:8080": the API
  std::string domain;
  std::uint16_t port = 0;
  std::string port_reason;  // why not 80
  std::vector<std::string> addresses;
  std::string driver;
  std::string driver_reason;
  std::string docker;
  std::string socket;
  std::string version;
};
// Written under another name and renamed, 0644: it holds no secret.
Result<Done> write_server_file(const ServerFacts& facts,
                               const std::filesystem::path& data_directory);
void remove_server_file(const std::filesystem::path& data_directory);

}  // namespace lambda::server
