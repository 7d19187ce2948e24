// What of a folder goes into a package or a build context: the list, before anything is read or
// written. Reads directories; blocking. The same folder gives the same list in the same order.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

struct Entry {
  enum class Kind { file, link, directory };  // a directory only where nothing is in it
  Kind kind = Kind::file;
  std::filesystem::path path;
  std::string target;  // of a link
  bool executable = false;
  std::uint64_t size = 0;
};

struct Contents {
  std::map<std::string, Entry> entries;  // by name inside the package, with '/'
  std::size_t files = 0;                 // files and links
  std::uint64_t bytes = 0;               // of the files
  std::vector<std::string> notes;        // what was left out that nobody asked to leave out

  // A file or link of this name, or something below a directory of this name.
  [[nodiscard]] bool contains(std::string_view name) const;
  // The names at the root: files, links and directories.
  [[nodiscard]] std::vector<std::string> root_names() const;
};

// AWS's limit, unpacked.
inline constexpr std::uint64_t kMaxUnpacked = 262'144'000;

// Where what a function depends on comes from.
enum class Dependencies {
  packed,     // from the folder
  installed,  // by the server: node_modules and venv at the root stay behind
};

// Everything but .git, .env*, .venv, __pycache__ and what .lambdaignore names; `include` are
// further files and folders, at the root under their own names. Errors: invalid (no folder, nothing
// in it, a link that leaves it, a name twice, too large), denied (a directory that cannot be read).
Result<Contents> code_contents(const std::filesystem::path& folder,
                               const std::vector<std::filesystem::path>& include,
                               Dependencies dependencies = Dependencies::packed);
// The same with .dockerignore, which keeps neither the Dockerfile nor itself out; links may point
// anywhere, as they are resolved inside the image.
Result<Contents> context_contents(const std::filesystem::path& folder,
                                  const std::vector<std::filesystem::path>& include);

// Errors: invalid: there is none, or it is no folder.
Result<Done> check_folder(const std::filesystem::path& folder);
// Whether lambda.toml's `include` is there. Error: invalid.
Result<Done> check_includes(const std::vector<std::filesystem::path>& include);

}  // namespace lambda::cli
