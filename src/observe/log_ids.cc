#include "observe/log_ids.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

namespace lambda::observe {
namespace {

// Lines of one function that may come while the file is written: a disk may stand still for a
// while.
constexpr std::uint64_t kBlock = 1 << 24;

std::uint64_t read_number(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::uint64_t number = 0;
  return in >> number ? number : 0;
}

}  // namespace

LogIds::LogIds(std::filesystem::path file, WallTime now)
    : file_(std::move(file)),
      base_(std::max(
          read_number(file_),
          static_cast<std::uint64_t>(std::max<std::int64_t>(
              0, std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch())
                     .count())))),
      reserved_(base_) {}

bool LogIds::wants_more(std::uint64_t id) const {
  return id + kBlock / 2 > reserved_.load(std::memory_order_relaxed);
}

Result<Done> LogIds::extend(std::uint64_t id) {
  const auto next = id + kBlock;
  const auto name = file_.string();
  const UniqueFd out(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out) return fail(Error::from_errno("open " + name));
  // Always as long: written in place, which a full disk allows too.
  const auto text = fmt::format("{:020}\n", next);
  const auto written = ::pwrite(out.get(), text.data(), text.size(), 0);
  if (written != static_cast<ssize_t>(text.size()))
    return fail(Error::from_errno("write " + name, written < 0 ? errno : ENOSPC));
  if (::fdatasync(out.get()) != 0) return fail(Error::from_errno("sync " + name));
  reserved_.store(next, std::memory_order_relaxed);
  return Done{};
}

}  // namespace lambda::observe
