// Function URL configurations. A function has one URL here, which follows `live`; AWS may give one
// to each alias.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> create_url_config(Services& services, Exchange& exchange);
Task<Answer> get_url_config(Services& services, Exchange& exchange);
Task<Answer> update_url_config(Services& services, Exchange& exchange);
Task<Answer> delete_url_config(Services& services, Exchange& exchange);
Task<Answer> list_url_configs(Services& services, Exchange& exchange);

}  // namespace lambda::api
