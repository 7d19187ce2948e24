// A failed deploy in its function's log. Any thread.
#pragma once

#include "base/clock.h"
#include "deploy/failed_deploy.h"
#include "observe/log_store.h"

namespace lambda::server {

// Line by line, as the version that it would have become. Of a function that does not exist nothing
// is kept: who deploys it is told all of it.
void log_failed_deploy(observe::LogStore& logs, const deploy::FailedDeploy& failed, bool exists,
                       WallTime now);

}  // namespace lambda::server
