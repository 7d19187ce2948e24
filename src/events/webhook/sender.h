// Sends webhooks: one signed POST, to an address that was looked up and checked, and to no other.
//
// Steps: read the URL -> look its host up -> check every address -> sign -> connect to the checked
// addresses -> POST -> the status decides; the answer's body is read a little and for a moment, so
// that the other side sees no reset, and dropped. All of it within one deadline. Redirects are not
// followed.
//
// Threads: send() on one loop; the rest on any. The loop has stopped when this is destroyed.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/clock.h"
#include "base/result.h"
#include "egress/address_rules.h"
#include "egress/name_lookup.h"
#include "events/queue/event.h"
#include "events/webhook/delivery.h"
#include "function/catalog.h"
#include "http/client.h"
#include "invoke/call_trace.h"
#include "store/master_key.h"

#include <chrono>
#include <string>
#include <string_view>

namespace lambda::events {

class WebhookSender {
 public:
  // All of it outlives the sender.
  struct Parts {
    const function::Catalog& catalog;
    const store::MasterKey& master;
    BlockingPool& workers;  // signs large bodies
    const Clock& clock;
  };
  struct Options {
    egress::AddressRules rules;
    std::chrono::milliseconds timeout{15'000};  // of everything together
    std::string user_agent = "lambdad";
    egress::AddressSystem system = egress::AddressSystem();
  };
  WebhookSender(Parts parts, Options options);

  // `delivery` and `trace`, whose span the request is, live until this returns. Errors: denied (an
  // address that is refused: final), timeout, unavailable, invalid (the answer is not HTTP).
  Task<Result<WebhookAnswer>> send(const ClaimedEvent& delivery, const invoke::CallTrace& trace);

  // What the function's webhooks are signed with: "whsec_...". Errors: not_found.
  [[nodiscard]] Result<std::string> secret(std::string_view function) const;
  [[nodiscard]] const egress::AddressRules& rules() const { return options_.rules; }
  // Nothing of it touches the loop any more. A look-up that still runs is left behind.
  void finish() { names_.finish(); }

 private:
  Task<Result<http::Endpoint>> checked(http::Endpoint endpoint, SteadyTime deadline);
  Task<Result<http::Request>> request_of(const ClaimedEvent& delivery,
                                         const invoke::CallTrace& trace, http::ParsedUrl url);

  Parts parts_;
  Options options_;
  egress::NameLookup names_;
};

}  // namespace lambda::events
