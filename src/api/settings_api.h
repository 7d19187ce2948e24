// Reserved concurrency, and the reads that AWS's tools make beside a function's own.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> put_concurrency(Services& services, Exchange& exchange);
Task<Answer> get_concurrency(Services& services, Exchange& exchange);
Task<Answer> delete_concurrency(Services& services, Exchange& exchange);

Task<Answer> get_account_settings(Services& services, Exchange& exchange);
Task<Answer> get_code_signing_config(Services& services, Exchange& exchange);
Task<Answer> get_runtime_management_config(Services& services, Exchange& exchange);
Task<Answer> get_recursion_config(Services& services, Exchange& exchange);
Task<Answer> list_event_source_mappings(Services& services, Exchange& exchange);
// GetPolicy: there is none; what is allowed is decided by keys and the URL's own setting.
Task<Answer> get_policy(Services& services, Exchange& exchange);
// What there is none of here: an empty list, or AWS's 404.
Task<Answer> list_layers(Services& services, Exchange& exchange);
Task<Answer> list_layer_versions(Services& services, Exchange& exchange);
Task<Answer> list_provisioned_concurrency(Services& services, Exchange& exchange);
Task<Answer> get_provisioned_concurrency(Services& services, Exchange& exchange);
Task<Answer> list_code_signing_configs(Services& services, Exchange& exchange);
// Operations of AWS that this server does not have: says so by name.
Operation refuse_operation(std::string what);

}  // namespace lambda::api
