#include "deploy/live_move.h"

#include "base/crypto.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

namespace lambda::deploy {
namespace {

// What a promote without a number makes live: the newest version, where it is as the draft.
function::VersionPtr newest_or_draft(const function::Function& function) {
  const auto newest =
      function.next_version < 2 ? nullptr : function.version(function.next_version - 1);
  return newest && function.is_as_draft(*newest) ? newest : function.latest;
}

// The version that the move ends at, where nobody knows yet that it starts; else null.
function::VersionPtr unproven(const function::Function& function,
                              std::optional<std::uint64_t> number, Direction direction) {
  if (!number && direction == Direction::back) return nullptr;
  const auto target = number ? function.version(*number) : newest_or_draft(function);
  return target && !target->live_since ? target : nullptr;
}

// A record of its own: what is called by its number meanwhile is not touched when it fails.
function::VersionPtr to_start(const function::VersionPtr& target, std::uint64_t number) {
  auto version = std::make_shared<function::Version>(*target);
  version->number = number;
  version->revision_id = random_uuid();
  return version;
}

bool answers_now(const function::Function& function, std::uint64_t number) {
  const auto* live = function.live();
  if (live == nullptr) return number == 0;
  return live->version == number || (live->additional && live->additional->first == number);
}

// Of those that `live` is to point at.
std::vector<function::VersionPtr> unproven(const function::Function& function,
                                           const function::Alias& wanted) {
  std::vector<std::uint64_t> numbers{wanted.version};
  if (wanted.additional) numbers.push_back(wanted.additional->first);
  std::vector<function::VersionPtr> versions;
  for (const auto number : numbers) {
    auto version = function.version(number);
    if (version && !version->live_since && !answers_now(function, number))
      versions.push_back(std::move(version));
  }
  return versions;
}

// One that was started to see whether it does.
struct Started {
  function::VersionPtr target;
  function::VersionPtr started;
};

// They serve from now on where they are still what was asked for.
void let_serve(const LiveMoveParts& parts, const std::string& name,
               const std::vector<Started>& all) {
  const auto snapshot = parts.catalog.snapshot();
  const auto found = snapshot->functions.find(name);
  for (const auto& [target, started] : all) {
    const auto now =
        found == snapshot->functions.end() ? nullptr : found->second->version(target->number);
    if (now && now->revision_id == target->revision_id) {
      parts.invoker.adopt_prepared(started, now);
    } else {
      parts.invoker.abandon_prepared(started);
    }
  }
}

void give_up(const LiveMoveParts& parts, const std::vector<Started>& all) {
  for (const auto& one : all) parts.invoker.abandon_prepared(one.started);
}

// The revision of what the move is decided by: the draft, or the version that is named.
std::string looked_at(const function::Function& function, std::optional<std::uint64_t> number,
                      Direction direction) {
  if (!number) return direction == Direction::back ? "" : function.latest->revision_id;
  const auto version = function.version(*number);
  return version ? version->revision_id : "";
}

tl::unexpected<Error> not_started(const function::Version& target, Error error) {
  const auto& name = target.function;
  const auto what = target.is_latest() ? target.label() : "version " + target.label();
  if (error.code() != ErrorCode::function_failed)
    return fail(std::move(error), "start {} of {} before it is made live", what, name);
  return fail(
      error.code(),
      "{} of {} was not made live: {}. What it wrote: `lambda logs {}`. Mend the code, then "
      "deploy it or promote it again",
      what, name, error.message(), name);
}

}  // namespace

Task<Result<function::Catalog::LiveMove>> move_live(LiveMoveParts parts, std::string name,
                                                    std::optional<std::uint64_t> number,
                                                    Direction direction) {
  const auto snapshot = parts.catalog.snapshot();
  const auto found = snapshot->functions.find(name);
  const auto function = found == snapshot->functions.end() ? nullptr : found->second;
  const auto target = function ? unproven(*function, number, direction) : nullptr;
  function::VersionPtr started;
  std::uint64_t secrets = 0;
  if (target) {
    started = to_start(target, target->is_latest() ? function->next_version : target->number);
    secrets = parts.secrets.revision();
    spdlog::info("{} {}: initialise", direction == Direction::back ? "rollback" : "promote", name);
    invoke::Invoker::InitFailure failure;
    auto prepared = co_await parts.invoker.prepare(started, failure);
    if (!prepared) co_return not_started(*target, std::move(prepared.error()));
  }
  auto job = [&catalog = parts.catalog, name, number, direction,
              looked_at = function ? looked_at(*function, number, direction) : std::string()] {
    return direction == Direction::back ? catalog.rollback(name, number, looked_at)
                                        : catalog.promote(name, number, looked_at);
  };
  auto moved = co_await run_blocking(parts.store_thread, std::move(job));
  // One that may have an older value of a secret serves nobody.
  const bool serves = moved && secrets == parts.secrets.revision();
  if (started && serves) parts.invoker.adopt_prepared(started, moved->to);
  if (started && !serves) parts.invoker.abandon_prepared(started);
  co_return moved;
}

Task<Result<function::Alias>> set_live(LiveMoveParts parts, std::string name,
                                       function::Alias wanted,
                                       std::function<Result<function::Alias>()> change) {
  const auto snapshot = parts.catalog.snapshot();
  const auto found = snapshot->functions.find(name);
  std::vector<function::VersionPtr> targets;
  if (found != snapshot->functions.end()) targets = unproven(*found->second, wanted);
  const auto secrets = parts.secrets.revision();
  std::vector<Started> all;
  for (const auto& target : targets) {
    auto started = to_start(target, target->number);
    spdlog::info("alias {} of {}: initialise version {}", wanted.name, name, target->label());
    invoke::Invoker::InitFailure failure;
    auto prepared = co_await parts.invoker.prepare(started, failure);
    if (!prepared) {
      give_up(parts, all);
      co_return not_started(*target, std::move(prepared.error()));
    }
    all.push_back({target, std::move(started)});
  }
  auto set = co_await run_blocking(parts.store_thread, std::move(change));
  // One that may have an older value of a secret serves nobody.
  if (set && secrets == parts.secrets.revision()) {
    let_serve(parts, name, all);
  } else {
    give_up(parts, all);
  }
  co_return set;
}

}  // namespace lambda::deploy
