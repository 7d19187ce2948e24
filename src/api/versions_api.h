// PublishVersion, ListVersionsByFunction; the five operations on aliases, and our own; tags.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> publish_version(Services& services, Exchange& exchange);
Task<Answer> list_versions(Services& services, Exchange& exchange);

Task<Answer> create_alias(Services& services, Exchange& exchange);
Task<Answer> get_alias(Services& services, Exchange& exchange);
Task<Answer> list_aliases(Services& services, Exchange& exchange);
Task<Answer> update_alias(Services& services, Exchange& exchange);
Task<Answer> delete_alias(Services& services, Exchange& exchange);

// Makes an alias or lets it point elsewhere, as UpdateAlias with a body of that shape; `live` at
// versions alone that are known to start (deploy/live_move.h).
Task<Answer> own_set_alias(Services& services, Exchange& exchange);

Task<Answer> list_tags(Services& services, Exchange& exchange);
Task<Answer> tag_resource(Services& services, Exchange& exchange);
Task<Answer> untag_resource(Services& services, Exchange& exchange);

}  // namespace lambda::api
