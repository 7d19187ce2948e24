// The data directory: made where it is not there, given to the user that the server becomes, and
// its mode, which is set here and nowhere else. Blocking, at the start, before there are threads.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "server/privileges.h"

#include <filesystem>
#include <optional>

namespace lambda::server {

// `owner`: whom root's lambdad becomes; nobody where root did not start it. Theirs is mode 0711, as
// sandboxes mount code and image roots from below it by descriptor; an ordinary user's is 0700.
// One that is there is taken where it is empty or was lambdad's already (it holds lambda.db,
// lambda.lock, spawn.lock or lambdad.log; for an owner it is root's or theirs, too); a link is
// followed first. Everything else stays as it is. Errors: denied, with what is in the way or there
// instead.
Result<Done> prepare_data_directory(const std::filesystem::path& directory,
                                    const std::optional<User>& owner);

}  // namespace lambda::server
