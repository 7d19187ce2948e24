#include "server/idle_keeper.h"

#include "server/memory_room.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <utility>

namespace lambda::server {
namespace {

constexpr std::chrono::seconds kLook{1};
// While memory is short.
constexpr std::chrono::milliseconds kLookAgain{250};

std::uint64_t megabytes(std::uint64_t bytes) {
  return bytes >> 20;
}

void say_short(const MemoryRoom& room) {
  spdlog::warn(
      "memory is short ({} MB of the {} MB of {} are available): idle instances are given up, "
      "and none is started but for calls",
      megabytes(room.available), megabytes(room.bytes), room.of);
}

}  // namespace

std::vector<function::Resolved> versions_to_keep(const function::Snapshot& functions) {
  std::vector<function::Resolved> wanted;
  for (const auto& [name, function] : functions.functions) {
    std::vector<function::VersionPtr> versions{function->answering()};
    const auto* const live = function->live();
    if (live != nullptr && live->additional)
      versions.push_back(function->version(live->additional->first));
    for (auto& version : versions) {
      if (!version || version->configuration.min_instances == 0) continue;
      wanted.push_back(
          function::Resolved{function, std::move(version), std::string(function::kLiveAlias)});
    }
  }
  return wanted;
}

Task<void> IdleKeeper::keep_ready() {
  std::shared_ptr<const function::Snapshot> known;
  std::vector<function::Resolved> wanted;
  while (true) {
    auto now = catalog_.snapshot();
    if (now != known) {
      known = std::move(now);
      wanted = versions_to_keep(*known);
    }
    invoker_.keep(wanted);
    if (!co_await sleep_for(kLook)) co_return;
  }
}

Task<void> IdleKeeper::watch_memory() {
  if (low_memory_ == 0) co_return;
  bool was_short = false;
  while (true) {
    auto look = [this] { return shortage_in(memory_rooms(functions_), low_memory_); };
    const auto shortage = co_await run_blocking(disk_, std::move(look));
    if (shortage && !was_short) say_short(shortage->room);
    if (!shortage && was_short) spdlog::info("there is enough memory again");
    was_short = shortage.has_value();
    invoker_.set_short_of_memory(was_short);
    if (shortage) co_await invoker_.give_up_idle(shortage->bytes);
    const std::chrono::milliseconds pause = was_short ? kLookAgain : kLook;
    if (!co_await sleep_for(pause)) co_return;
  }
}

}  // namespace lambda::server
