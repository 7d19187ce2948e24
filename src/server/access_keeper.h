// AccessKeeper does what keys and the audit need from time to time: saves when keys were used, once
// a minute and at the end, and lets the audit's old entries go, once an hour. Its coroutine runs on
// one loop, its work on the store thread.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "store/audit_table.h"
#include "store/key_table.h"

#include <chrono>

namespace lambda::server {

class AccessKeeper {
 public:
  // All outlive it. Entries older than `audit_age` go; zero keeps them for ever.
  AccessKeeper(store::KeyTable& keys, store::AuditTable& audit, BlockingPool& store_thread,
               const Clock& clock, std::chrono::days audit_age)
      : keys_(keys),
        audit_(audit),
        store_thread_(store_thread),
        clock_(clock),
        audit_age_(audit_age) {}

  // Never ends by itself.
  Task<void> run();
  Task<void> save_uses();
  Task<void> expire_audit();

 private:
  store::KeyTable& keys_;
  store::AuditTable& audit_;
  BlockingPool& store_thread_;
  const Clock& clock_;
  std::chrono::days audit_age_;
};

}  // namespace lambda::server
