#include "pool/instance_log.h"

#include "base/async_fd.h"
#include "base/background.h"
#include "base/encoding.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/ioctl.h>
#include <unistd.h>

namespace lambda::pool {
namespace {

// CloudWatch cuts events at 256 KiB; a line without end must not fill the memory.
constexpr std::size_t kMaxLine = 256 * 1024;
// Read so much at once, then let others have the loop.
constexpr std::size_t kReadBytes = 64 * 1024;

}  // namespace

// Shared with the reading coroutine, which ends when the pipe does or close() was called.
struct InstanceLog::Impl : std::enable_shared_from_this<InstanceLog::Impl> {
  Impl(LoopExecutor executor, Owner who, observe::LogSourcePtr to, const Clock& time)
      : pipe(executor), owner(std::move(who)), log(std::move(to)), clock(time) {}

  asio::posix::basic_stream_descriptor<LoopExecutor> pipe;
  Owner owner;
  observe::LogSourcePtr log;
  const Clock& clock;
  std::string request_id;
  std::string partial;  // the line that has not ended yet
  std::string tail;
  std::array<char, kReadBytes> buffer{};

  Task<void> read_loop(std::shared_ptr<Impl> self);
  // Reads at most `limit` bytes that are there now; how many. Nothing at the end of the pipe.
  std::optional<std::size_t> read_now(std::size_t limit);
  void take(std::string_view bytes);
  void line(std::string_view text);
  void flush_partial() {
    if (partial.empty()) return;
    line(partial);
    partial.clear();
  }
  // Everything that is in the pipe at this moment, and no more: a process that writes without end
  // cannot hold us.
  void drain();
};

Task<void> InstanceLog::Impl::read_loop(std::shared_ptr<Impl> self) {
  while (self->pipe.is_open()) {
    auto [error] = co_await pipe.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error || !pipe.is_open()) co_return;
    if (!read_now(kReadBytes)) {
      flush_partial();
      boost::system::error_code ignored;
      pipe.close(ignored);
    }
  }
}

std::optional<std::size_t> InstanceLog::Impl::read_now(std::size_t limit) {
  ssize_t count = 0;
  do {
    count = ::read(pipe.native_handle(), buffer.data(), std::min(limit, buffer.size()));
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return 0;
  if (count <= 0) return std::nullopt;
  const auto bytes = static_cast<std::size_t>(count);
  take(std::string_view(buffer.data(), bytes));
  return bytes;
}

void InstanceLog::Impl::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (const auto room = kMaxLine - partial.size(); piece.size() > room) {
      partial.append(piece.substr(0, room));
      flush_partial();
      bytes.remove_prefix(room);
      continue;
    }
    partial.append(piece);
    if (end == std::string_view::npos) break;
    line(partial);
    partial.clear();
    bytes.remove_prefix(end + 1);
  }
}

void InstanceLog::Impl::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  // A function may write any bytes; what is kept of it is text, wherever it is shown.
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = repair_utf8(text);
  tail.append(text).push_back('\n');
  if (tail.size() > 4 * kTailBytes) tail = std::string(last_of_utf8(tail, kTailBytes));
  observe::LogLine entry;
  entry.time = clock.now();
  entry.function = owner.function;
  entry.version = owner.version;
  entry.instance = owner.instance;
  entry.request_id = request_id;
  entry.text = text;
  if (log) log->append(std::move(entry));
}

void InstanceLog::Impl::drain() {
  if (!pipe.is_open()) return;
  int waiting = 0;
  if (::ioctl(pipe.native_handle(), FIONREAD, &waiting) != 0) return;
  auto left = static_cast<std::size_t>(std::max(waiting, 0));
  while (left > 0) {
    const auto count = read_now(left);
    if (!count || *count == 0) return;
    left -= *count;
  }
}

InstanceLog::InstanceLog(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<InstanceLog>> InstanceLog::open(LoopExecutor executor, UniqueFd pipe,
                                                       Owner owner, observe::LogSourcePtr log,
                                                       const Clock& clock) {
  auto impl = std::make_shared<Impl>(executor, std::move(owner), std::move(log), clock);
  ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  auto given = give_to(impl->pipe, std::move(pipe), "the sandbox's log");
  if (!given) return fail(std::move(given.error()));
  asio::co_spawn(executor, impl->read_loop(impl), in_background("an instance's log"));
  return std::unique_ptr<InstanceLog>(new InstanceLog(std::move(impl)));
}

InstanceLog::~InstanceLog() {
  close();
}

void InstanceLog::begin_call(std::string_view request_id) {
  impl_->drain();
  impl_->flush_partial();
  impl_->tail.clear();
  impl_->request_id = request_id;
  impl_->line(fmt::format("START RequestId: {} Version: {}", request_id, impl_->owner.version));
}

void InstanceLog::platform_line(std::string_view text) {
  impl_->drain();
  impl_->flush_partial();
  impl_->line(text);
}

std::string InstanceLog::end_call(std::string_view report) {
  impl_->drain();
  impl_->flush_partial();
  impl_->line(fmt::format("END RequestId: {}", impl_->request_id));
  impl_->line(report);
  impl_->request_id.clear();
  const std::string tail = std::exchange(impl_->tail, {});
  return std::string(last_of_utf8(tail, kTailBytes));
}

std::string InstanceLog::drain_outside_call() {
  impl_->drain();
  impl_->flush_partial();
  return std::exchange(impl_->tail, {});
}

void InstanceLog::close() {
  impl_->drain();
  impl_->flush_partial();
  boost::system::error_code ignored;
  impl_->pipe.close(ignored);
}

}  // namespace lambda::pool
