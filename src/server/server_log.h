// lambdad's own log: to standard error, and to a file that is followed by another when it is full.
// Threads: set_up_log() and add_log_file() before there is a second one.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "server/configuration.h"

namespace lambda::server {

// Standard error alone: whoever we become is to own the file.
void set_up_log(const Configuration& configuration);
// After privileges are dropped; nothing where no file is configured. Errors: denied (the file, or a
// next one beside it, cannot be written).
Result<Done> add_log_file(const Configuration& configuration);

}  // namespace lambda::server
