// What kind of function a folder holds, from its files. Reads the folder; blocking.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace lambda::cli {

struct Recognised {
  bool image = false;  // there is a Dockerfile
  std::string runtime;
  std::string handler;
  std::optional<std::uint16_t> port;  // the Dockerfile's first EXPOSE
  std::string note;  // nobody named runtime or handler, and the files would fit another
};

// What is known beforehand; "" where nothing is.
struct Known {
  std::string runtime;  // as the caller named it, now
  std::string handler;
  std::string kind;
  std::string former_runtime;  // of the function's last deploy: stays where it can start
  std::string former_handler;
};

// Errors: invalid, saying what was looked for, or that the handler's file is not there.
Result<Recognised> recognise(const std::filesystem::path& folder, const Known& known);

}  // namespace lambda::cli
