// AuditTrail writes what callers change into the audit: before a change begins, when it has ended,
// and where somebody was refused. Any loop; the writing happens on the store thread, together with
// what else waits there.
#pragma once

#include "access/key_checker.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "store/audit_table.h"
#include "store/group_commit.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace lambda::api {

class AuditTrail {
 public:
  // Refused attempts of one key in a minute that stand in the audit each; of more, their number.
  static constexpr int kRefusedAMinute = 60;

  // All outlive it.
  AuditTrail(store::GroupCommit& commits, const store::AuditTable& table, const Clock& clock)
      : commits_(commits), table_(table), clock_(clock) {}

  // A row that says who, from where, and when. `operation` and the rest are the caller's to fill.
  [[nodiscard]] store::AuditRow row_of(const access::Caller& caller, const http::Peer& peer) const;
  // On disk when it returns; the number, for end(). Errors: the database's. Then nothing may be
  // changed.
  Task<Result<std::int64_t>> begin(store::AuditRow row);
  // What came of it: there after `kill -9`, and on disk with the next change that is synced. A
  // failure is logged: the change is done.
  Task<void> end(std::int64_t begun, store::AuditRow row);
  // Somebody who is known was refused.
  Task<void> refused(store::AuditRow row);

 private:
  struct Minute {
    std::int64_t minute = 0;
    int count = 0;
  };
  // Nothing where the row is one too many.
  bool has_room(store::AuditRow& row);

  store::GroupCommit& commits_;
  const store::AuditTable& table_;
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Minute, std::less<>> refused_;  // by key: no more than there are
};

}  // namespace lambda::api
