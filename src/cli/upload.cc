#include "cli/upload.h"

#include "cli/output.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

// An upload that takes longer than a blink gets a bar.
constexpr std::uint64_t kBarFrom = 2u << 20;
constexpr std::size_t kPiece = 128 * 1024;
constexpr std::size_t kBarWidth = 20;

int per_cent(std::uint64_t sent, std::uint64_t size) {
  return size == 0 ? 100 : static_cast<int>(sent * 100 / size);
}

}  // namespace

Upload::Upload(Archive archive, bool terminal)
    : archive_(std::move(archive)), bar_(terminal && archive_.size >= kBarFrom) {}

Task<Result<std::string>> Upload::read_some() {
  if (!archive_.file) co_return std::string();
  std::string bytes(kPiece, '\0');
  const auto count = ::read(archive_.file.get(), bytes.data(), bytes.size());
  if (count < 0) {
    const int number = errno;
    co_return fail(Error::from_errno("read the package", number));
  }
  bytes.resize(static_cast<std::size_t>(count));
  sent_ += bytes.size();
  if (bar_) show();
  co_return bytes;
}

void Upload::show() {
  const auto now = per_cent(sent_, archive_.size);
  if (now == shown_) return;
  shown_ = now;
  std::fprintf(stderr, "\r      %s", bar_text(sent_, archive_.size).c_str());
  if (sent_ >= archive_.size) end_bar();
}

void Upload::end_bar() {
  if (bar_ && shown_ >= 0) std::fputc('\n', stderr);
  bar_ = false;
}

std::string bar_text(std::uint64_t sent, std::uint64_t size) {
  const auto done = size == 0 ? kBarWidth : static_cast<std::size_t>(sent * kBarWidth / size);
  return fmt::format("Uploading [{}{}] {:3}% of {}", std::string(done, '#'),
                     std::string(kBarWidth - done, ' '), per_cent(sent, size), size_text(size));
}

}  // namespace lambda::cli
