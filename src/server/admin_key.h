// <data>/admin.key, the administrator's key: made at the first start, mode 0600, found by the local
// command line. The key itself is in the database; the file is a copy of it. Blocking, at the
// start. What is done to keys here stands in the audit as lambdad's.
#pragma once

#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "store/audit_table.h"
#include "store/key_table.h"

#include <filesystem>

namespace lambda::server {

// Makes the key where there is none, and the file where it does not hold a key that this server
// takes. Whatever is written to a file that was not the first start's is said in the log.
Result<Done> ensure_admin_key(store::KeyTable& keys, store::AuditTable& audit, const Clock& clock,
                              const std::filesystem::path& data_directory);

// Revokes every key and makes a new administrator's key: for one that somebody may have read.
Result<Done> replace_keys(store::KeyTable& keys, store::AuditTable& audit, const Clock& clock,
                          const std::filesystem::path& data_directory);

}  // namespace lambda::server
