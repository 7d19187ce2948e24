#include "sandbox/image/context_body.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace lambda::sandbox::image {
namespace {

constexpr std::size_t kPieceBytes = 512 * 1024;

}  // namespace

ContextBody::ContextBody(UniqueFd file, std::size_t length, BlockingPool& pool)
    : file_(std::make_shared<UniqueFd>(std::move(file))), length_(length), pool_(pool) {}

Result<std::unique_ptr<ContextBody>> ContextBody::open(const std::filesystem::path& file,
                                                       BlockingPool& pool) {
  UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) return fail(Error::from_errno("open the build context " + file.string()));
  struct stat info {};
  if (::fstat(opened.get(), &info) != 0)
    return fail(Error::from_errno("look at the build context " + file.string()));
  return std::unique_ptr<ContextBody>(
      new ContextBody(std::move(opened), static_cast<std::size_t>(info.st_size), pool));
}

// Touches nothing of `this` once it waits: the request may be given up meanwhile.
Task<Result<std::string>> ContextBody::read_some() {
  auto job = [file = file_]() -> Result<std::string> {
    std::string piece(kPieceBytes, '\0');
    const ssize_t count = ::read(file->get(), piece.data(), piece.size());
    if (count < 0) return fail(Error::from_errno("read the build context"));
    piece.resize(static_cast<std::size_t>(count));
    return piece;
  };
  return run_blocking(pool_, std::move(job));
}

}  // namespace lambda::sandbox::image
