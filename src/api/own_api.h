// What AWS lacks, under /_lambda/ (docs/control-api.md has the protocol): status, functions,
// versions, rollback, promote, URL rules, deletion with a summary. Deploys are in deploy_api.h,
// calls in invoke_api.h, logs in logs_api.h.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// {"version","weight"}
[[nodiscard]] boost::json::object share_json(const function::VersionShare& share);

Task<Answer> get_root(Services& services, Exchange& exchange);
Task<Answer> get_health(Services& services, Exchange& exchange);
Task<Answer> get_status(Services& services, Exchange& exchange);
Task<Answer> get_doctor(Services& services, Exchange& exchange);
Task<Answer> own_list_functions(Services& services, Exchange& exchange);
Task<Answer> own_get_function(Services& services, Exchange& exchange);
Task<Answer> own_list_versions(Services& services, Exchange& exchange);
Task<Answer> own_delete_function(Services& services, Exchange& exchange);
Task<Answer> rollback(Services& services, Exchange& exchange);
Task<Answer> promote(Services& services, Exchange& exchange);
Task<Answer> put_url(Services& services, Exchange& exchange);

}  // namespace lambda::api
