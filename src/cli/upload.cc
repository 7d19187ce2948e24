#include "cli/upload.h"

#include <cerrno>
#include <unistd.h>

namespace lambda::cli {
namespace {

// An upload that takes longer than a blink gets a bar.
constexpr std::uint64_t kBarFrom = 2u << 20;
constexpr std::size_t kPiece = 128 * 1024;

}  // namespace

Upload::Upload(Archive archive, bool terminal)
    : archive_(std::move(archive)),
      bar_("Uploading", archive_.size, terminal && archive_.size >= kBarFrom) {}

Task<Result<std::string>> Upload::read_some() {
  if (!archive_.file) co_return std::string();
  std::string bytes(kPiece, '\0');
  const auto count = ::read(archive_.file.get(), bytes.data(), bytes.size());
  if (count < 0) {
    const int number = errno;
    co_return fail(Error::from_errno("read the package", number));
  }
  bytes.resize(static_cast<std::size_t>(count));
  bar_.advance(bytes.size());
  co_return bytes;
}

}  // namespace lambda::cli
