// Steps of keep(): the kind that lacks most gets a stem -> again, until none lacks any -> what is
// not needed any more is given up -> wait for demand.
#include "sandbox/native/stems.h"

#include "base/crypto.h"
#include "base/deadline.h"
#include "sandbox/init/init_channel.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace lambda::sandbox::native {
namespace {

using std::chrono::seconds;

constexpr seconds kMakeLimit{10};
constexpr seconds kTryAgainAfter{5};
constexpr seconds kLookEvery{1};
// Until its function is known.
constexpr std::uint64_t kStemMemory = 512ull << 20;
constexpr std::uint64_t kStemTmp = 1ull << 20;
constexpr std::uint32_t kStemProcesses = 64;

const std::string& name_of(const StemKind& kind) {
  static const std::string image = "image";
  return kind.root_kind == RootKind::image ? image : kind.root;
}

}  // namespace

Stems::Stems(SpawnClient& spawn, StemLimits limits) : spawn_(spawn), limits_(limits) {}

// lambda-spawn, which ends later, ends what waits.
Stems::~Stems() = default;

// Of a root that has been replaced since no stem is wanted any more.
Stems::Shelf& Stems::shelf_of(const StemKind& kind) {
  const auto [place, is_new] = shelves_.try_emplace(kind);
  if (is_new) {
    for (auto& [other, shelf] : shelves_) {
      const bool same_root = other.root_kind == kind.root_kind && other.root == kind.root;
      if (same_root && other.root_inode != kind.root_inode) shelf.demand = {};
    }
  }
  return place->second;
}

std::optional<Stem> Stems::take(const StemKind& kind) {
  if (limits_.most == 0) return std::nullopt;
  std::optional<Stem> stem;
  {
    const std::lock_guard lock(mutex_);
    auto& shelf = shelf_of(kind);
    const auto now = Clock::now();
    shelf.demand.note(now);
    auto& counts = counts_[name_of(kind)];
    if (shelf.stems.empty()) {
      ++counts.missed;
    } else {
      rest_over_ = now + limits_.rest;
      stem = std::move(shelf.stems.front());
      shelf.stems.pop_front();
      --waiting_;
      ++counts.taken;
    }
  }
  wake();
  return stem;
}

void Stems::expect(const StemKind& kind) {
  if (limits_.most == 0) return;
  {
    const std::lock_guard lock(mutex_);
    shelf_of(kind).demand.expect(Clock::now());
  }
  wake();
}

std::size_t Stems::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_;
}

std::map<std::string, StemCounts> Stems::counts() const {
  const std::lock_guard lock(mutex_);
  auto counts = counts_;
  for (const auto& [kind, shelf] : shelves_) counts[name_of(kind)].waiting += shelf.stems.size();
  return counts;
}

void Stems::wake() {
  const std::lock_guard lock(mutex_);
  if (keeper_) asio::post(*keeper_, [this] { work_.set(); });
}

void Stems::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake();
}

std::optional<StemKind> Stems::next_to_make() {
  const std::lock_guard lock(mutex_);
  if (closed_ || waiting_ >= limits_.of_all_kinds) return std::nullopt;
  const auto now = Clock::now();
  const StemKind* poorest = nullptr;
  std::size_t most_lacking = 0;
  for (const auto& [kind, shelf] : shelves_) {
    const auto want = shelf.demand.wanted(limits_, now);
    if (now < shelf.not_before || shelf.stems.size() >= want) continue;
    // lambda-spawn does one thing after the other, and making a network namespace takes the kernel
    // longer than all that a function needs to begin in a stem.
    if (now < rest_over_ && shelf.stems.size() * 2 >= want) continue;
    const auto lacking = want - shelf.stems.size();
    if (lacking <= most_lacking) continue;
    most_lacking = lacking;
    poorest = &kind;
  }
  if (poorest == nullptr) return std::nullopt;
  return *poorest;
}

Stems::Clock::time_point Stems::next_look() const {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  const auto usual = now + kLookEvery;
  return rest_over_ > now ? std::min(rest_over_, usual) : usual;
}

std::vector<Stem> Stems::take_unneeded() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  std::vector<Stem> unneeded;
  for (auto entry = shelves_.begin(); entry != shelves_.end();) {
    auto& shelf = entry->second;
    const auto want = closed_ ? 0 : shelf.demand.wanted(limits_, now);
    while (shelf.stems.size() > want) {
      unneeded.push_back(std::move(shelf.stems.front()));
      shelf.stems.pop_front();
      --waiting_;
    }
    entry = want == 0 ? shelves_.erase(entry) : std::next(entry);
  }
  return unneeded;
}

void Stems::give_up(const Stem& stem) {
  SpawnRequest request;
  request.operation = Operation::stop;
  std::memcpy(request.id, stem.id.data(), std::min(stem.id.size(), sizeof(request.id) - 1));
  spawn_.post(request);
}

Task<void> Stems::make(StemKind kind) {
  auto ends = InitChannel::make_pair();
  SpawnRequest request;
  request.operation = Operation::start;
  request.stem = 1;
  request.fork = kind.fork ? 1 : 0;
  request.root_kind = kind.root_kind;
  request.memory_bytes = kStemMemory;
  request.tmp_bytes = kStemTmp;
  request.processes = kStemProcesses;
  request.egress = kind.way_out ? Egress::internet : Egress::none;
  Stem stem;
  stem.id = "stem-" + random_text(16, "abcdefghijklmnopqrstuvwxyz0123456789");
  std::memcpy(request.id, stem.id.data(), stem.id.size());
  std::memcpy(request.root, kind.root.data(), std::min(kind.root.size(), sizeof(request.root) - 1));
  Result<Done> done = Done{};
  if (ends) {
    auto made = co_await spawn_.request(request, std::move(ends->second), in(kMakeLimit));
    if (made) {
      stem.memory_cgroup = made->text;
      stem.control = std::move(ends->first);
    } else {
      done = fail(std::move(made.error()));
    }
  } else {
    done = fail(std::move(ends.error()));
  }
  if (done && !kind.argv.empty()) {
    StartRequest start;
    start.argv = kind.argv;
    start.environment = kind.environment;
    done = InitChannel::begin_stem(stem.control, start);
  }
  const std::lock_guard lock(mutex_);
  auto& shelf = shelves_[kind];
  if (done) {
    shelf.stems.push_back(std::move(stem));
    ++waiting_;
    co_return;
  }
  give_up(stem);
  shelf.not_before = Clock::now() + kTryAgainAfter;
  if (!closed_) {
    spdlog::warn("no {} can be made ready ahead, so its first calls start from nothing: {}",
                 kind.root, done.error().message());
  }
}

Task<void> Stems::keep() {
  if (limits_.most == 0) co_return;
  const auto executor = co_await asio::this_coro::executor;
  {
    const std::lock_guard lock(mutex_);
    keeper_ = executor;
  }
  bool closed = false;
  while (!closed) {
    work_.reset();
    for (auto kind = next_to_make(); kind; kind = next_to_make()) co_await make(std::move(*kind));
    for (const auto& stem : take_unneeded()) give_up(stem);
    co_await work_.wait_until(next_look());
    const std::lock_guard lock(mutex_);
    closed = closed_;
    if (closed) keeper_.reset();
  }
  for (const auto& stem : take_unneeded()) give_up(stem);
}

}  // namespace lambda::sandbox::native
