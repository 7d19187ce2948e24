// The sockets that lambdad listens on. Opened before privileges are dropped; blocking, main thread.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "server/configuration.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lambda::server {

struct Listeners {
  std::vector<UniqueFd> sockets;             // TCP
  UniqueFd unix_socket;                      // or none
  std::string unix_socket_file;              // file_identity() of its file
  std::uint16_t port = 0;                    // of the URLs that are printed
  std::string port_reason;                   // why not 80; "" when it is 80 or was chosen
  std::vector<std::string> addresses;        // "127.0.0.1:8080"
  std::vector<std::string> beyond_loopback;  // those of `addresses` that other machines may reach
};

// Loopback over IPv4, and IPv6 where the machine has it, on port 80, else 8080, else an error that
// names the holder; or exactly what the configuration names.
Result<Listeners> open_listeners(const Configuration& configuration);

// Where programs on this machine reach it: "http://127.0.0.1:8080", without the port where it
// is 80.
[[nodiscard]] std::string local_url(const Listeners& listeners);

// What other machines may do there, as a warning; "" where it listens on loopback alone.
[[nodiscard]] std::string exposure(const Listeners& listeners, bool insecure);

// 0660, for the given group; the directory is made. A socket file left by a server that is gone is
// replaced.
Result<Done> open_unix_socket(const std::string& path, unsigned group, Listeners& listeners);

}  // namespace lambda::server
