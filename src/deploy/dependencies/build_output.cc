#include "deploy/dependencies/build_output.h"

#include "base/async_fd.h"
#include "base/background.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace lambda::deploy {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
// Of a line that does not end.
constexpr std::size_t kLongestHeld = 16 * 1024;
// A pipe holds no more.
constexpr std::size_t kReadsAtEnd = 16;

}  // namespace

struct BuildOutput::Impl {
  Impl(LoopExecutor executor, Say to) : pipe(executor), say(std::move(to)) {}

  asio::posix::basic_stream_descriptor<LoopExecutor> pipe;
  Say say;  // empty: closed
  std::string held;
  std::size_t said = 0;
  std::array<char, kReadBytes> buffer{};

  static Task<void> read_loop(std::shared_ptr<Impl> self);
  // False: nothing is there.
  bool take_some();
  void take(std::string_view bytes);
  void tell(std::string_view text);
};

Task<void> BuildOutput::Impl::read_loop(std::shared_ptr<Impl> self) {
  while (self->pipe.is_open()) {
    auto [error] =
        co_await self->pipe.async_wait(asio::posix::descriptor_base::wait_read, kAsTuple);
    if (error || !self->pipe.is_open()) co_return;
    if (!self->take_some() && errno != EAGAIN) co_return;
    // Others of this loop have their turn, too.
    co_await asio::post(self->pipe.get_executor(), kUseAwaitable);
  }
}

bool BuildOutput::Impl::take_some() {
  const auto count = ::read(pipe.native_handle(), buffer.data(), buffer.size());
  if (count <= 0) {
    if (count == 0) errno = 0;
    return false;
  }
  take({buffer.data(), static_cast<std::size_t>(count)});
  return true;
}

void BuildOutput::Impl::take(std::string_view bytes) {
  held += bytes;
  const auto end = held.rfind('\n');
  if (end == std::string::npos && held.size() < kLongestHeld) return;
  const auto size = end == std::string::npos ? held.size() : end + 1;
  tell(std::string_view(held).substr(0, size));
  held.erase(0, size);
}

void BuildOutput::Impl::tell(std::string_view text) {
  if (!say || said >= kMostOutput || text.empty()) return;
  said += text.size();
  say(plain_text(text));
  if (said >= kMostOutput) say("\n[the rest of the build's output is left out]\n");
}

std::string plain_text(std::string_view text) {
  std::string plain(text);
  std::erase_if(plain, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  });
  return plain;
}

BuildOutput::BuildOutput(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<BuildOutput>> BuildOutput::open(LoopExecutor executor, UniqueFd pipe,
                                                       Say say) {
  auto impl = std::make_shared<Impl>(executor, std::move(say));
  auto given = give_to(impl->pipe, std::move(pipe), "the output of a build");
  if (!given) return fail(std::move(given.error()));
  asio::co_spawn(executor, Impl::read_loop(impl), in_background("the output of a build"));
  return std::unique_ptr<BuildOutput>(new BuildOutput(std::move(impl)));
}

BuildOutput::~BuildOutput() {
  close();
}

void BuildOutput::close() {
  auto& impl = *impl_;
  if (!impl.say) return;
  for (std::size_t i = 0; i < kReadsAtEnd && impl.pipe.is_open() && impl.take_some(); ++i) {
  }
  impl.tell(impl.held);
  impl.say = {};
  boost::system::error_code ignored;
  impl.pipe.close(ignored);
}

}  // namespace lambda::deploy
