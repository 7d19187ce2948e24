// PublishVersion, ListVersionsByFunction; the five operations on aliases; tags.
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

Task<Answer> list_tags(Services& services, Exchange& exchange);
Task<Answer> tag_resource(Services& services, Exchange& exchange);
Task<Answer> untag_resource(Services& services, Exchange& exchange);

}  // namespace lambda::api
