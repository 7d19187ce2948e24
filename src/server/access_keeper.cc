#include "server/access_keeper.h"

#include "base/deadline.h"

#include <spdlog/spdlog.h>

#include <utility>

namespace lambda::server {
namespace {

constexpr std::chrono::minutes kBetweenSaves{1};
constexpr int kSavesBetweenExpiries = 60;

}  // namespace

Task<void> AccessKeeper::run() {
  for (int turn = 0;; ++turn) {
    if (turn % kSavesBetweenExpiries == 0) co_await expire_audit();
    co_await sleep_for(kBetweenSaves);
    co_await save_uses();
  }
}

Task<void> AccessKeeper::save_uses() {
  auto save = [&keys = keys_] { return keys.save_uses(); };
  const auto saved = co_await run_blocking(store_thread_, std::move(save));
  if (!saved) spdlog::warn("{}", saved.error().message());
}

Task<void> AccessKeeper::expire_audit() {
  if (audit_age_ == std::chrono::days(0)) co_return;
  const auto now = clock_.now();
  auto expire = [&audit = audit_, before = now - audit_age_, now] {
    return audit.expire(before, now);
  };
  const auto removed = co_await run_blocking(store_thread_, std::move(expire));
  if (!removed) {
    spdlog::warn("{}", removed.error().message());
  } else if (*removed > 0) {
    spdlog::info("audit: {} entries were older than {} days and are gone", *removed,
                 audit_age_.count());
  }
}

}  // namespace lambda::server
