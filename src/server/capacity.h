// What this machine has room for: bytes of bodies, instances, connections. By its memory and the
// limit of open files, where the configuration does not say. Any thread.
#pragma once

#include "function/catalog.h"
#include "http/server.h"
#include "observe/log_limits.h"
#include "sandbox/native/spawn_client.h"
#include "sandbox/native/stems.h"
#include "server/configuration.h"

#include <cstddef>

namespace lambda::server {

// For what is held of bodies.
[[nodiscard]] std::size_t body_bytes(const Configuration& configuration);
// Of the logs of functions.
[[nodiscard]] observe::LogLimits log_limits(const Configuration& configuration);
// Of those functions that say so themselves.
[[nodiscard]] observe::OwnLogLimitsByFunction own_log_limits(const function::Snapshot& functions);
// They take room from instances.
[[nodiscard]] sandbox::native::StemLimits stem_limits(const Configuration& configuration,
                                                      const sandbox::native::SpawnClient& spawn);
// At once, of all functions. `spawn` may be null: no native sandboxes.
[[nodiscard]] std::size_t instance_limit(const Configuration& configuration,
                                         const sandbox::native::SpawnClient* spawn);
// Asynchronous events: half of the instances stay for synchronous calls, unless the configuration
// says otherwise.
[[nodiscard]] std::size_t events_at_once(const Configuration& configuration, std::size_t instances);
// Of what so many instances leave of the open files.
[[nodiscard]] http::ServerLimits connection_limits(std::size_t instances);

}  // namespace lambda::server
