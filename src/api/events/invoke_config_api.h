// AWS's EventInvokeConfig: how a function's asynchronous events are retried, and where their
// results go.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> put_event_invoke_config(Services& services, Exchange& exchange);
Task<Answer> update_event_invoke_config(Services& services, Exchange& exchange);
Task<Answer> get_event_invoke_config(Services& services, Exchange& exchange);
Task<Answer> delete_event_invoke_config(Services& services, Exchange& exchange);
Task<Answer> list_event_invoke_configs(Services& services, Exchange& exchange);
// GET /_lambda/functions/NAME/event-settings: what is in effect for events that follow `live`.
Task<Answer> get_event_settings(Services& services, Exchange& exchange);

// Whether a function of that name, which need not be there yet, could have the configuration.
[[nodiscard]] Result<Done> check_event_invoke_config(Services& services, const Exchange& exchange,
                                                     const std::string& function,
                                                     const boost::json::object& body);

}  // namespace lambda::api
