// Steps of a turn: read what is there, at most a buffer -> cut some lines of it -> give them to the
// store, all at once. What is left in the buffer waits for the next turn.
#include "pool/instance_log.h"

#include "base/async_fd.h"
#include "base/background.h"
#include "base/encoding.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::pool {
namespace {

// CloudWatch cuts events at 256 KiB; a line without end must not fill the memory, nor the log.
constexpr std::size_t kMaxLine = 256 * 1024;
constexpr std::string_view kCut = " ... (the rest of this line was cut)";
// Read, and cut into lines, in one turn of the loop.
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kLinesOfATurn = 256;
// A START line that nothing follows is given to the store after so long: most calls are done by
// then, and all their lines go at once.
constexpr std::chrono::milliseconds kGiveLater{50};

}  // namespace

// Shared with the reading coroutine, which ends when the pipe does or close() was called.
struct InstanceLog::Impl : std::enable_shared_from_this<InstanceLog::Impl> {
  Impl(LoopExecutor executor, Owner who, observe::LogSourcePtr to, const Clock& time)
      : pipe(executor), later(executor), owner(std::move(who)), log(std::move(to)), clock(time) {
    between_calls = origin_of({});
    origin = between_calls;
  }

  asio::posix::basic_stream_descriptor<LoopExecutor> pipe;
  Timer later;
  bool gives_later = false;
  Owner owner;
  observe::LogSourcePtr log;
  const Clock& clock;
  std::shared_ptr<const observe::LogOrigin> between_calls;
  std::shared_ptr<const observe::LogOrigin> origin;  // of the lines that come now
  std::vector<observe::LogBatch::Text> lines;        // not given to the store yet
  std::string partial;                               // the line that has not ended yet
  bool cutting = false;                              // until the end of a line that was too long
  std::string tail;
  std::unique_ptr<char[]> buffer;  // while there is something to read: most instances are silent
  std::string_view unread;         // of the buffer
  std::uint64_t taken_bytes = 0;   // ever

  enum class Turn { some, nothing, end };

  Task<void> read_loop(std::shared_ptr<Impl> self);
  // One turn's work.
  Turn take_some();
  Turn fill();
  void take_line();
  void line(std::string_view text, WallTime time, bool platform = false);
  void flush_partial() {
    if (partial.empty()) return;
    line(partial, clock.now());
    partial.clear();
  }
  [[nodiscard]] std::shared_ptr<const observe::LogOrigin> origin_of(std::string request_id) const;
  void give();
  void give_soon();
  // Everything that is in the pipe at this moment, and no more: a process that writes without end
  // cannot hold us.
  Task<void> drain(std::shared_ptr<Impl> self);
  void end();
};

Task<void> InstanceLog::Impl::read_loop(std::shared_ptr<Impl> self) {
  while (self->pipe.is_open()) {
    if (unread.empty()) {
      auto [error] = co_await pipe.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
      if (error || !pipe.is_open()) co_return;
    }
    const Turn turn = take_some();
    if (turn == Turn::end) {
      end();
      co_return;
    }
    if (!unread.empty()) co_await asio::post(pipe.get_executor(), kUseAwaitable);
  }
}

InstanceLog::Impl::Turn InstanceLog::Impl::fill() {
  if (!pipe.is_open()) return Turn::end;
  if (!buffer) buffer = std::make_unique_for_overwrite<char[]>(kReadBytes);
  ssize_t count = 0;
  do {
    count = ::read(pipe.native_handle(), buffer.get(), kReadBytes);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) return Turn::nothing;
  if (count <= 0) return Turn::end;
  unread = std::string_view(buffer.get(), static_cast<std::size_t>(count));
  return Turn::some;
}

InstanceLog::Impl::Turn InstanceLog::Impl::take_some() {
  if (unread.empty()) {
    const Turn filled = fill();
    if (filled != Turn::some) {
      buffer.reset();
      return filled;
    }
  }
  const std::size_t before = unread.size();
  for (std::size_t i = 0; i < kLinesOfATurn && !unread.empty(); ++i) take_line();
  taken_bytes += before - unread.size();
  if (unread.empty()) buffer.reset();
  give();
  return Turn::some;
}

// One line, or what there is of it.
void InstanceLog::Impl::take_line() {
  const auto end = unread.find('\n');
  if (cutting) {
    cutting = end == std::string_view::npos;
    unread.remove_prefix(cutting ? unread.size() : end + 1);
    return;
  }
  const auto piece = unread.substr(0, end);
  if (const auto room = kMaxLine - partial.size(); piece.size() > room) {
    partial.append(first_of_utf8(piece, room));
    partial.append(kCut);
    flush_partial();
    unread.remove_prefix(room);
    cutting = true;
    return;
  }
  if (end == std::string_view::npos) {
    partial.append(piece);
    unread = {};
    return;
  }
  if (partial.empty()) {
    line(piece, clock.now());
  } else {
    partial.append(piece);
    line(partial, clock.now());
    partial.clear();
  }
  unread.remove_prefix(end + 1);
}

void InstanceLog::Impl::line(std::string_view text, WallTime time, bool platform) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  // A function may write any bytes; what is kept of it is text, wherever it is shown.
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = repair_utf8(text);
  tail.append(text).push_back('\n');
  if (tail.size() > 4 * kTailBytes) tail = std::string(last_of_utf8(tail, kTailBytes));
  if (log) lines.push_back(observe::LogBatch::Text{time, std::string(text), platform});
}

std::shared_ptr<const observe::LogOrigin> InstanceLog::Impl::origin_of(
    std::string request_id) const {
  observe::LogOrigin made;
  made.version = owner.version;
  made.instance = owner.instance;
  made.request_id = std::move(request_id);
  return std::make_shared<const observe::LogOrigin>(std::move(made));
}

void InstanceLog::Impl::give() {
  if (lines.empty()) return;
  observe::LogBatch batch;
  batch.origin = origin;
  batch.lines = std::exchange(lines, {});
  log->append(std::move(batch));
}

void InstanceLog::Impl::give_soon() {
  if (gives_later || lines.empty()) return;
  gives_later = true;
  later.expires_after(kGiveLater);
  later.async_wait([weak = weak_from_this()](const boost::system::error_code&) {
    const auto self = weak.lock();
    if (!self) return;
    self->gives_later = false;
    self->give();
  });
}

Task<void> InstanceLog::Impl::drain(std::shared_ptr<Impl> self) {
  int waiting = 0;
  if (pipe.is_open() && ::ioctl(pipe.native_handle(), FIONREAD, &waiting) != 0) waiting = 0;
  // The reading coroutine may take some of it between two turns.
  const auto goal = taken_bytes + unread.size() + static_cast<std::size_t>(std::max(waiting, 0));
  // The last read may bring more than that: the reading coroutine waits for the pipe, and would
  // leave it in the buffer.
  const auto wanted = [self, goal] {
    return self->taken_bytes < goal ||
           (!self->unread.empty() && self->taken_bytes < goal + kReadBytes);
  };
  while (wanted()) {
    if (take_some() != Turn::some) co_return;
    if (wanted()) co_await asio::post(pipe.get_executor(), kUseAwaitable);
  }
}

void InstanceLog::Impl::end() {
  flush_partial();
  give();
  boost::system::error_code ignored;
  pipe.close(ignored);
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
  impl_->end();
}

Task<void> InstanceLog::begin_call(std::string request_id) {
  const auto impl = impl_;
  co_await impl->drain(impl);
  impl->flush_partial();
  impl->give();
  impl->tail.clear();
  impl->origin = impl->origin_of(request_id);
  impl->line(fmt::format("START RequestId: {} Version: {}", request_id, impl->owner.version),
             impl->clock.now(), true);
  impl->give_soon();
}

Task<void> InstanceLog::platform_line(std::string text) {
  const auto impl = impl_;
  co_await impl->drain(impl);
  impl->flush_partial();
  impl->line(text, impl->clock.now(), true);
  impl->give();
}

Task<void> InstanceLog::platform_line_of(std::string request_id, std::string text) {
  const auto impl = impl_;
  co_await impl->drain(impl);
  impl->flush_partial();
  impl->give();
  const auto before = std::exchange(impl->origin, impl->origin_of(std::move(request_id)));
  impl->line(text, impl->clock.now(), true);
  impl->give();
  impl->origin = before;
}

Task<std::string> InstanceLog::end_call(std::string report) {
  const auto impl = impl_;
  co_await impl->drain(impl);
  impl->flush_partial();
  const auto now = impl->clock.now();
  impl->line(fmt::format("END RequestId: {}", impl->origin->request_id), now, true);
  impl->line(report, now, true);
  impl->give();
  impl->origin = impl->between_calls;
  const std::string tail = std::exchange(impl->tail, {});
  co_return std::string(last_of_utf8(tail, kTailBytes));
}

Task<std::string> InstanceLog::drain_outside_call() {
  const auto impl = impl_;
  co_await impl->drain(impl);
  impl->flush_partial();
  impl->give();
  co_return std::exchange(impl->tail, {});
}

Task<void> InstanceLog::close() {
  const auto impl = impl_;
  co_await impl->drain(impl);
  impl->end();
}

}  // namespace lambda::pool
