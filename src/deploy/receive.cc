#include "deploy/receive.h"

#include "base/crypto.h"
#include "base/unique_fd.h"

#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace lambda::deploy {
namespace {

// Bytes are handed to the disk's thread in pieces of about this size.
constexpr std::size_t kPieceBytes = 512 * 1024;

// The next piece: at least kPieceBytes unless the body ends; empty at its end.
Task<Result<std::string>> read_piece(http::BodyReader& body) {
  std::string piece;
  while (piece.size() < kPieceBytes) {
    auto more = co_await body.read_some();
    if (!more) co_return fail(std::move(more.error()), "receive the upload");
    if (more->empty()) break;
    piece += *more;
  }
  co_return piece;
}

Result<Done> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      return fail(Error::from_errno("write the uploaded build context").as(ErrorCode::internal));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return Done{};
}

}  // namespace

Task<Result<function::Package>> receive_package(function::PackageStore& store, BlockingPool& disk,
                                                http::BodyReader& body) {
  auto begin = [&store] { return store.begin_upload(); };
  auto begun = co_await run_blocking(disk, std::move(begin));
  if (!begun) co_return fail(std::move(begun.error()));
  // Shared with the disk's thread for as long as a piece is being written.
  const std::shared_ptr<function::PackageUpload> upload = std::move(*begun);
  while (true) {
    auto piece = co_await read_piece(body);
    if (!piece) co_return fail(std::move(piece.error()));
    if (piece->empty()) break;
    auto append = [upload, bytes = std::move(*piece)] { return upload->append(bytes); };
    auto appended = co_await run_blocking(disk, std::move(append));
    if (!appended) co_return fail(std::move(appended.error()));
  }
  auto finish = [upload] { return upload->finish(); };
  co_return co_await run_blocking(disk, std::move(finish));
}

Task<Result<std::shared_ptr<TemporaryFile>>> receive_file(std::filesystem::path directory,
                                                          BlockingPool& disk,
                                                          http::BodyReader& body,
                                                          std::uint64_t limit) {
  auto path = directory / ("context-" + random_uuid());
  auto file = std::make_shared<TemporaryFile>(path);
  const auto fd = std::make_shared<UniqueFd>(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!*fd) co_return fail(Error::from_errno("create " + path.string()));
  std::uint64_t total = 0;
  while (true) {
    auto piece = co_await read_piece(body);
    if (!piece) co_return fail(std::move(piece.error()));
    if (piece->empty()) break;
    total += piece->size();
    if (total > limit) {
      co_return fail(ErrorCode::too_large,
                     "the build context is larger than {} MB: name what the image does not need in "
                     ".dockerignore",
                     limit >> 20);
    }
    auto append = [fd, bytes = std::move(*piece)] { return write_all(fd->get(), bytes); };
    auto appended = co_await run_blocking(disk, std::move(append));
    if (!appended) co_return fail(std::move(appended.error()));
  }
  co_return file;
}

}  // namespace lambda::deploy
