// The server on this machine, as the files of its data directory tell. A server.json alone proves
// no server: one that was killed leaves it, and others may have its port and its socket by now.
// Blocking.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <vector>

namespace lambda::cli {

struct LocalServer {
  std::string url;                     // "http://127.0.0.1:8080", "unix:/PATH"
  std::string key;                     // where it can be read, and the server was seen to run
  std::string place;                   // the data directory; or the socket, and no more is known
  std::string socket;                  // the one that it made, "" without
  std::vector<std::string> addresses;  // where it listens: "127.0.0.1:80", "[::1]:80"
};

// The server of the data directory `named`; where none is named, of one of the usual ones, or
// whoever listens at the usual socket. Nothing where there is none that could be called. Errors, of
// the named directory alone: unavailable (no server runs with it), denied (that cannot be seen).
Result<std::optional<LocalServer>> find_local_server(const std::string& named);

}  // namespace lambda::cli
