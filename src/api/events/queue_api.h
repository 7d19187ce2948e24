// /_lambda/queue and /_lambda/events: seeing and steering the queue of asynchronous events.
#pragma once

#include "api/operation.h"

namespace lambda::api {

// GET /_lambda/queue?function=NAME:
// {"functions":[{"name","waiting","running","retrying","dead","oldest"}]}
Task<Answer> get_queue(Services& services, Exchange& exchange);
// GET /_lambda/functions/NAME/events?state=waiting|running|succeeded|dead&limit=N, newest first
Task<Answer> list_events(Services& services, Exchange& exchange);
// DELETE the same (?state=waiting|dead): {"removed": n}
Task<Answer> purge_events(Services& services, Exchange& exchange);
// POST /_lambda/functions/NAME/events/redrive: {"redriven": n}
Task<Answer> redrive_events(Services& services, Exchange& exchange);
// GET /_lambda/functions/NAME/webhook-secret: {"secret": "whsec_..."}
Task<Answer> get_webhook_secret(Services& services, Exchange& exchange);
// GET, DELETE /_lambda/events/ID; GET .../payload, .../result; POST .../redrive, where a body is
// the new payload
Task<Answer> get_event(Services& services, Exchange& exchange);
Task<Answer> get_event_payload(Services& services, Exchange& exchange);
Task<Answer> get_event_result(Services& services, Exchange& exchange);
Task<Answer> cancel_event(Services& services, Exchange& exchange);
Task<Answer> redrive_event(Services& services, Exchange& exchange);

}  // namespace lambda::api
