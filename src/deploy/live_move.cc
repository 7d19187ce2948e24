#include "deploy/live_move.h"

#include "base/crypto.h"

#include <spdlog/spdlog.h>

#include <utility>

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
function::VersionPtr to_start(const function::Function& function,
                              const function::VersionPtr& target) {
  auto version = std::make_shared<function::Version>(*target);
  if (target->is_latest()) version->number = function.next_version;
  version->revision_id = random_uuid();
  return version;
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
  if (target) {
    started = to_start(*function, target);
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
  if (started && moved) parts.invoker.adopt_prepared(started, moved->to);
  if (started && !moved) parts.invoker.abandon_prepared(started);
  co_return moved;
}

}  // namespace lambda::deploy
