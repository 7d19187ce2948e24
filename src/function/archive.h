// Checks a zip and unpacks it, in memory that does not grow with its content.
//
// What is refused, each with the entry's name: what is not a zip, encrypted entries, absolute
// paths,
// `..`, entries written through a symlink, symlinks that leave the package (also by way of others),
// two different files of one name, special files, more than the limits.
// What becomes of the rest: files 0444, or 0555 where any execute bit is set; `bootstrap` at the
// root always 0555, since zips made on Windows carry no modes; folders 0555; symlinks that stay
// inside as they are. Times are the zip's. Blocking; any thread.
#pragma once

#include "base/blocking.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace lambda::function {

struct UnpackLimits {
  std::uint64_t bytes = 262'144'000;  // AWS: unzipped, 250 MB
  std::size_t entries = 200'000;      // files, links, and folders, also those only implied
};

struct Unpacked {
  std::uint64_t bytes = 0;
  std::size_t files = 0;
};

// `zip`: a seekable descriptor of the whole file; its position is moved. `target`: an empty
// directory. On disk (synced) when it returns. On an error the target is left as it is: remove it.
// Errors: invalid (see above), internal (disk full).
Result<Unpacked> unpack_zip(int zip, const std::filesystem::path& target,
                            const UnpackLimits& limits = {});

// The path of an entry without "./", "//" and a trailing '/'; "" for the root itself.
// Error: invalid: absolute, `..`, a part longer than 255 bytes, a control character.
[[nodiscard]] Result<std::string> normalise_entry_path(std::string_view path);

// Symlinks of a package: path of the link -> its target.
using Links = std::map<std::string, std::string, std::less<>>;
// Follows every link, also through other links. Error: invalid: one leaves the package.
[[nodiscard]] Result<Done> check_links(const Links& links);

}  // namespace lambda::function
