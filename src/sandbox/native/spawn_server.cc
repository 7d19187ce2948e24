// Steps of the loop: events (requests, ends, what the keeper and zygotes say) -> a few of the
// starts that were asked for (spawn_starts.cc), then the stops -> what has to be looked at -> what
// can wait: clearing up ends (spawn_ends.cc), and making things ahead.
#include "sandbox/native/spawn_server.h"

#include "base/descriptor_message.h"
#include "sandbox/native/spawn_request.h"
#include "sandbox/native/spawned_sandbox.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <utility>

namespace lambda::sandbox::native {
namespace {

using std::chrono::milliseconds;

// Instead of kLookEvery, where one has used three quarters of its memory.
constexpr milliseconds kLookEveryWhenHot{2};
// With very many sandboxes the looks are spread out, so that they cost at most about 2 % of a CPU.
constexpr unsigned kSandboxesPerLook = 250;
// Where something is under way that no event tells of.
constexpr milliseconds kRetry{1};
constexpr milliseconds kFreezeLimit{1000};

// What a sandbox holds open here: its pidfd, its /tmp and its memory's usage, and while it starts
// its status pipe. What we hold ourselves, and what the one that is being made needs in passing.
constexpr rlim_t kDescriptorsPerSandbox = 4;
constexpr rlim_t kOwnDescriptors = 64;
constexpr rlim_t kDescriptorsPerCgroup = 6;
// Starts that are taken from the socket and not begun: behind more of them, what is more urgent
// would wait in the socket. And how many are begun before anything else is looked at.
constexpr std::size_t kStartsAhead = 24;
constexpr std::size_t kStartsAtOnce = 2;
// Ends and stops wait so long at most while there is always something else.
constexpr milliseconds kLongestPutOff{200};

// What is made ahead where a process may open so many files.
struct Ahead {
  rlim_t networks;
  rlim_t cgroups;
};
constexpr std::size_t kLeastNetworks = 8;

Ahead ahead_within(rlim_t open_files) {
  return {std::clamp<rlim_t>(open_files / 32, 1, 128), std::clamp<rlim_t>(open_files / 128, 1, 16)};
}

rlim_t open_file_limit() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_cur;
}

// Tags of events that are no sandbox's (spawned_sandbox.h) and no zygote's (zygotes.h).
constexpr std::uint64_t kKeeperTag = 1ull << 35;
// Of the way out: the machine's addresses, and who carries packets.
constexpr std::uint64_t kAddressesTag = 1ull << 36;
constexpr std::uint64_t kCarrierTag = 1ull << 37;

std::uint64_t bytes_in(int tmp) {
  struct statfs status {};
  if (::fstatfs(tmp, &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.f_blocks - status.f_bfree) *
         static_cast<std::uint64_t>(status.f_bsize);
}

}  // namespace

std::uint32_t sandboxes_within(rlim_t open_files) {
  const auto ahead = ahead_within(open_files);
  const auto own = kOwnDescriptors + ahead.networks + ahead.cgroups * kDescriptorsPerCgroup;
  const rlim_t fit = open_files > own ? (open_files - own) / kDescriptorsPerSandbox : 0;
  return static_cast<std::uint32_t>(std::clamp<rlim_t>(fit, 1, kSandboxUids));
}

SpawnServer::SpawnServer(SpawnServerParts parts)
    : parts_(std::move(parts)),
      cgroups_(parts_.cgroups, ahead_within(open_file_limit()).cgroups),
      networks_({kLeastNetworks,
                 parts_.walls.network_namespace ? ahead_within(open_file_limit()).networks : 0},
                parts_.epoll.get(), kKeeperTag, [this](const std::string& words) { tell(words); }),
      uids_(parts_.uids.first, kSandboxUids),
      zygotes_({std::move(parts_.zygotes), parts_.epoll.get(), &parts_.filter, parts_.open_files,
                [this](std::uint32_t number) { return runtime_forked(number); },
                [this](const std::string& words) { tell(words); }}) {}

SpawnServer::~SpawnServer() = default;

// The kernel refuses when a user watches very much (fs.epoll.max_user_watches), or has no memory.
Result<Done> SpawnServer::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return fail(Error::from_errno("watch for the end of a sandbox (epoll_ctl)"));
  return Done{};
}

// A child that is being set up still has a copy, so closing alone would not end the watching.
void SpawnServer::unwatch(UniqueFd& fd) {
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

int SpawnServer::wait_time() const {
  if (!starts_.empty()) return 0;
  if (!removing_.empty() || !freezing_.empty()) return static_cast<int>(kRetry.count());
  auto next = ending_ ? std::nullopt : networks_.next_look();
  const auto no_later = [&next](std::optional<Clock::time_point> than) {
    if (than) next = std::min(next.value_or(*than), *than);
  };
  if (!ending_) no_later(cgroups_.next_look());
  if (watched_ > 0) no_later(next_look_);
  no_later(look_at_zygotes_);
  if (parts_.uplink) no_later(parts_.uplink->next_try());
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - Clock::now());
  return static_cast<int>(std::max<milliseconds::rep>(left.count(), 0));
}

Result<Done> SpawnServer::run() {
  if (auto watched = watch(parts_.socket.get(), 0); !watched) {
    parts_.cgroups.remove_parent();
    return watched;
  }
  // Where changes of the machine's addresses are not heard of, nobody gets out.
  if (parts_.uplink) {
    auto watched = watch(parts_.uplink->addresses_fd(), kAddressesTag);
    if (!watched) parts_.uplink = fail(std::move(watched.error()));
  }
  std::array<epoll_event, 64> events{};
  while (!ending_ || !sandboxes_.empty()) {
    const int count = ::epoll_wait(parts_.epoll.get(), events.data(),
                                   static_cast<int>(events.size()), wait_time());
    for (int i = 0; i < count; ++i) dispatch(events[static_cast<std::size_t>(i)].data.u64);
    begin_starts();
    if (!freezing_.empty()) answer_freezes();
    if (parts_.uplink && parts_.uplink->next_try()) watch_uplink(parts_.uplink->retry());
    if (watched_ > 0 && Clock::now() >= next_look_) look_at_memory();
    if (look_at_zygotes_ && Clock::now() >= *look_at_zygotes_) look_at_zygotes_ = zygotes_.look();
    do_what_can_wait();
  }
  cgroups_.clear();
  parts_.cgroups.remove_parent();
  return Done{};
}

bool SpawnServer::is_asked() const {
  if (!starts_.empty()) return true;
  pollfd socket{parts_.socket.get(), POLLIN, 0};
  return !ending_ && ::poll(&socket, 1, 0) > 0;
}

void SpawnServer::do_what_can_wait() {
  if (!ending_) networks_.keep_up(Clock::now());  // asks the keeper, no more
  const bool asked = is_asked();
  if (!removing_.empty()) {
    const auto& longest = *by_number_.at(removing_.front());
    if (!asked || Clock::now() - longest.removal_began > kLongestPutOff) finish_removals();
  } else if (!asked && !ending_) {
    cgroups_.make_one();
  }
}

void SpawnServer::dispatch(std::uint64_t tag) {
  if (tag == 0) return take_requests();
  if ((tag & (Zygotes::kEndBit | Zygotes::kAnswerBit)) != 0) return zygotes_.take(tag);
  if (tag == kKeeperTag) {
    networks_.take_messages([this](std::uint32_t number) {
      const auto found = by_number_.find(number);
      if (found != by_number_.end()) found->second->closing_tmp = false;
    });
    return;
  }
  if (tag == kAddressesTag || tag == kCarrierTag) return look_after_uplink(tag);
  const auto found = by_number_.find(static_cast<std::uint32_t>(tag));
  if (found == by_number_.end()) return;
  Sandbox& sandbox = *found->second;
  if ((tag & kStatusBit) != 0) {
    if (sandbox.status) setup_ended(sandbox);
  } else if (sandbox.pidfd) {
    pid_one_ended(sandbox);
  }
}

void SpawnServer::take_requests() {
  while (!ending_ && starts_.size() < kStartsAhead) {
    SpawnRequest request;
    iovec part{&request, sizeof(request)};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {};
    message.msg_control = ancillary;
    message.msg_controllen = sizeof(ancillary);
    const ssize_t size = ::recvmsg(parts_.socket.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) break;
    auto descriptors = size > 0 ? take_descriptors(message) : std::vector<UniqueFd>{};
    // lambdad is gone, or no longer itself.
    if (size != sizeof(request) || (message.msg_flags & MSG_TRUNC) != 0 || descriptors.size() > 1)
      return end_all();
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
      refuse_for_descriptors(request);
      continue;
    }
    take(request, descriptors.empty() ? UniqueFd() : std::move(descriptors.front()));
  }
}

// Stops are for begin_starts(), so that none overtakes its start.
void SpawnServer::take(const SpawnRequest& request, UniqueFd control) {
  if (auto checked = check_request(request); !checked)
    return reply_failed(request.operation, request.request, checked.error());
  if (request.operation == Operation::start) {
    starts_.push_back({request, std::move(control)});
  } else if (request.operation == Operation::stop) {
    if (stops_.empty()) stops_began_ = Clock::now();
    stops_.push_back(request);
  } else {
    handle(request);
  }
}

void SpawnServer::begin_starts() {
  for (std::size_t begun = 0; begun < kStartsAtOnce && !starts_.empty(); ++begun) {
    const auto asked = std::move(starts_.front());
    starts_.pop_front();
    if (auto started = start(asked.request, asked.control); !started)
      reply_failed(Operation::start, asked.request.request, started.error());
  }
  const bool in_time = stops_.empty() || Clock::now() - stops_began_ < kLongestPutOff;
  if (!starts_.empty() && stops_.size() < kStartsAhead && in_time) return;
  // One that is asked for behind its stop has an id of its own.
  for (const auto& request : std::exchange(stops_, {})) {
    const auto waiting = std::find_if(starts_.begin(), starts_.end(), [&](const Asked& asked) {
      return std::string_view(asked.request.id) == request.id;
    });
    if (waiting == starts_.end()) {
      handle(request);
      continue;
    }
    reply_failed(Operation::start, waiting->request.request,
                 Error(ErrorCode::sandbox_failed, "it was stopped before it was made"));
    starts_.erase(waiting);
    reply_done(Operation::stop, request.request);
  }
}

// The kernel leaves out what does not fit into our table of descriptors, and says so.
void SpawnServer::refuse_for_descriptors(const SpawnRequest& request) {
  const auto words = fmt::format(
      "lambda-spawn has too many open files (its limit is {}) to take a descriptor: raise the hard "
      "limit of open files that lambdad is started with, or lower max_instances",
      open_file_limit());
  reply_failed(request.operation, request.request, Error(ErrorCode::sandbox_failed, words));
}

void SpawnServer::handle(const SpawnRequest& request) {
  const auto operation = request.operation;
  const auto found = sandboxes_.find(std::string_view(request.id));
  if (found == sandboxes_.end()) {
    // Stopping what is gone is no failure.
    if (operation == Operation::stop) return reply_done(operation, request.request);
    return reply_failed(
        operation, request.request,
        Error(ErrorCode::not_found, fmt::format("there is no sandbox {}", request.id)));
  }
  Sandbox& sandbox = *found->second;
  if (operation == Operation::status) return answer_status(sandbox, request);
  if (operation == Operation::stop) {
    sandbox.stop_requests.push_back(request.request);
    return stop(sandbox);
  }
  if (sandbox.state != State::running) {
    return reply_failed(
        operation, request.request,
        Error(ErrorCode::sandbox_failed, fmt::format("sandbox {} does not run", request.id)));
  }
  if (operation == Operation::fill) return fill(sandbox, request);
  if (operation == Operation::limit_cpu) return limit_cpu(sandbox, request);
  set_frozen(sandbox, request);
}

// A process stands still once it would return to user space, for which it has to run: at once on an
// idle machine, and tens of milliseconds later on a busy one. Nobody else waits for that.
void SpawnServer::set_frozen(Sandbox& sandbox, const SpawnRequest& request) {
  const bool freeze = request.operation == Operation::freeze;
  if (auto done = sandbox.cgroup.set_frozen(freeze); !done)
    return reply_failed(request.operation, request.request, done.error());
  if (sandbox.frozen != freeze) watched_ += freeze ? -1u : 1u;
  sandbox.frozen = freeze;
  if (!freeze || sandbox.cgroup.stands_still())
    return reply_done(request.operation, request.request);
  freezing_.push_back({sandbox.number, request.request, Clock::now() + kFreezeLimit});
}

void SpawnServer::limit_cpu(Sandbox& sandbox, const SpawnRequest& request) {
  if (auto done = sandbox.cgroup.set_cpu_quota(request.cpu_thousandths); !done)
    return reply_failed(request.operation, request.request, done.error());
  sandbox.cpu_is_limited = true;
  reply_done(request.operation, request.request);
}

void SpawnServer::answer_freezes() {
  std::erase_if(freezing_, [this](const Freezing& one) {
    const auto found = by_number_.find(one.number);
    if (found == by_number_.end() || found->second->state != State::running) {
      const Error gone(ErrorCode::sandbox_failed, "the sandbox ended while it was being frozen");
      reply_failed(Operation::freeze, one.request, gone);
      return true;
    }
    // What takes longer is on its way all the same; or it was thawed meanwhile.
    const Sandbox& sandbox = *found->second;
    if (sandbox.frozen && !sandbox.cgroup.stands_still() && Clock::now() < one.until) return false;
    reply_done(Operation::freeze, one.request);
    return true;
  });
}

void SpawnServer::look_after_uplink(std::uint64_t tag) {
  if (tag == kAddressesTag) return watch_uplink(parts_.uplink->addresses_changed());
  if (parts_.uplink->carrier_fd() < 0) return;
  // Children that are being set up have copies, so closing alone would not end the watching.
  ::epoll_ctl(parts_.epoll.get(), EPOLL_CTL_DEL, parts_.uplink->carrier_fd(), nullptr);
  watched_carrier_ = -1;
  watch_uplink(parts_.uplink->carrier_ended());
}

// `trouble`, where there is some, is told to lambdad.
void SpawnServer::watch_uplink(std::string trouble) {
  const int carrier = parts_.uplink->carrier_fd();
  if (carrier != watched_carrier_ && carrier >= 0) {
    if (auto watched = watch(carrier, kCarrierTag); !watched) trouble = watched.error().message();
  }
  watched_carrier_ = carrier;
  if (!trouble.empty() && !ending_) tell("functions' way out: " + trouble);
}

void SpawnServer::answer_status(const Sandbox& sandbox, const SpawnRequest& request) {
  SpawnReply answer;
  answer.operation = Operation::status;
  answer.request = request.request;
  answer.alive = sandbox.state == State::running ? 1 : 0;
  answer.out_of_memory = sandbox.over_memory || sandbox.cgroup.kernel_killed_for_memory() ? 1 : 0;
  reply(answer);
}

void SpawnServer::look_at_memory() {
  hot_ = false;
  unsigned looked = 0;
  for (auto& [id, sandbox] : sandboxes_) {
    if (sandbox->state != State::running || sandbox->frozen || sandbox->over_memory) continue;
    check_memory(*sandbox);
    ++looked;
  }
  const auto spread = 1 + looked / kSandboxesPerLook;
  next_look_ = Clock::now() + (hot_ ? kLookEveryWhenHot : kLookEvery) * spread;
}

// See cgroups.h for why the kernel's own limit cannot do this.
void SpawnServer::check_memory(Sandbox& sandbox) {
  const auto limit = sandbox.limits.memory_bytes;
  const auto charged = sandbox.cgroup.charged();
  if (charged < limit / 4 * 3) return;
  if (charged > limit) {
    const auto held = sandbox.cgroup.held();
    const auto in_tmp = bytes_in(sandbox.tmp.get());
    if (held > limit + in_tmp) {
      sandbox.over_memory = true;
      kill_through(sandbox.pidfd);
      return;
    }
    // All of it is /tmp and page cache: no hurry.
    if (held < in_tmp + limit / 4 * 3) return;
  }
  hot_ = true;
}

void SpawnServer::reply(const SpawnReply& answer) {
  // lambdad's reader takes replies as they come; when its end is gone, nobody needs one.
  while (::send(parts_.socket.get(), &answer, sizeof(answer), MSG_NOSIGNAL) < 0 && errno == EINTR) {
  }
}

// For lambdad's log. Nobody waits for a reply of this number.
void SpawnServer::tell(const std::string& words) {
  SpawnReply notice;
  notice.operation = Operation::notice;
  copy_text(notice.text, words);
  reply(notice);
}

void SpawnServer::reply_done(Operation operation, std::uint32_t request, const std::string& text) {
  SpawnReply answer;
  answer.operation = operation;
  answer.request = request;
  copy_text(answer.text, text);
  reply(answer);
}

void SpawnServer::reply_failed(Operation operation, std::uint32_t request, const Error& error) {
  SpawnReply answer;
  answer.operation = operation;
  answer.request = request;
  answer.failed = 1;
  answer.error_code = static_cast<std::uint32_t>(error.code());
  copy_text(answer.text, error.message());
  reply(answer);
}

}  // namespace lambda::sandbox::native
