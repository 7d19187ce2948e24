// ApiHandler: the control API behind every host that is no function's. Authenticates, routes,
// authorizes, audits, runs, answers. Any loop; a request stays on its connection's.
#pragma once

#include "access/authenticator.h"
#include "api/operation.h"
#include "api/operation_router.h"
#include "http/server.h"

namespace lambda::api {

class ApiHandler final : public http::Handler {
 public:
  ApiHandler(Services services, const access::Authenticator& authenticator)
      : services_(std::move(services)),
        authenticator_(authenticator),
        router_(services_.metrics_open) {}

  Task<void> handle(http::Request& request, http::BodyReader& body,
                    http::ResponseWriter& writer) override;

 private:
  Task<Answer> run(http::Request& request, http::BodyReader& body, http::ResponseWriter& writer,
                   const std::string& request_id);
  Task<Result<access::Caller>> authenticate(http::Request& request);
  Task<Answer> run_admitted(Exchange& exchange, const Operation& operation);
  Task<Answer> run_audited(Exchange& exchange, const Operation& operation);
  [[nodiscard]] store::AuditRow audit_row(const Exchange& exchange) const;

  Services services_;
  const access::Authenticator& authenticator_;
  OperationRouter router_;
};

}  // namespace lambda::api
