#include "events/webhook/sender.h"

#include "egress/allowed_addresses.h"
#include "events/webhook/signature.h"
#include "events/webhook/webhook_url.h"

#include <boost/json.hpp>

#include <algorithm>
#include <utility>

namespace lambda::events {
namespace {

namespace json = boost::json;
using std::chrono::steady_clock;

constexpr unsigned kLookups = 64;  // at once
constexpr std::size_t kMostRead = 64 * 1024;
constexpr std::chrono::milliseconds kBodyTime{250};

// The message attributes of a dead letter are headers here.
void add_attributes(http::Headers& headers, const std::string& client_context) {
  boost::system::error_code error;
  const auto value = json::parse(client_context, error);
  const auto* context = error ? nullptr : value.if_object();
  const auto* custom = context == nullptr ? nullptr : context->if_contains("custom");
  if (custom == nullptr || !custom->is_object()) return;
  for (const auto& [name, item] : custom->get_object()) {
    if (!item.is_string()) continue;
    std::string text(item.get_string());
    std::ranges::replace_if(
        text, [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; }, ' ');
    headers.add(std::string(name), std::move(text));
  }
}

// What comes behind the head decides nothing any more, so that one who hangs there holds nothing
// up.
Task<void> drop_body(http::ClientConnection& connection, SteadyTime latest) {
  const auto deadline = std::min(latest, steady_clock::now() + kBodyTime);
  std::size_t read = 0;
  while (read < kMostRead) {
    const auto left = deadline - steady_clock::now();
    if (left <= steady_clock::duration::zero()) co_return;
    auto piece = co_await connection.body(left).read_some();
    if (!piece || piece->empty()) co_return;
    read += piece->size();
  }
}

}  // namespace

WebhookSender::WebhookSender(Parts parts, Options options)
    : parts_(parts), options_(std::move(options)), names_(parts.clock, kLookups, options_.system) {}

Result<std::string> WebhookSender::secret(std::string_view function) const {
  const auto snapshot = parts_.catalog.snapshot();
  const auto found = snapshot->functions.find(function);
  if (found == snapshot->functions.end())
    return fail(ErrorCode::not_found, "there is no function \"{}\"", function);
  return webhook_secret(parts_.master, parts_.catalog.tenant(), *found->second);
}

Task<Result<http::Endpoint>> WebhookSender::checked(http::Endpoint endpoint, SteadyTime deadline) {
  auto found = co_await egress::allowed_addresses(names_, options_.rules, kWebhooks, endpoint.host,
                                                  deadline);
  if (!found) co_return fail(std::move(found.error()));
  endpoint.addresses = std::move(*found);
  co_return endpoint;
}

Task<Result<http::Request>> WebhookSender::request_of(const ClaimedEvent& delivery,
                                                      const invoke::CallTrace& trace,
                                                      http::ParsedUrl url) {
  auto key = secret(delivery.event.function);
  if (!key) co_return fail(std::move(key.error()));
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(parts_.clock.now()).time_since_epoch().count();
  auto sign = [&delivery, &key, seconds] {
    return webhook_signature(*key, delivery.event.id, seconds, delivery.event.payload);
  };
  auto signature =
      co_await run_sized(parts_.workers, delivery.event.payload.size(), std::move(sign));
  http::Request request;
  request.method = "POST";
  request.target = std::move(url.path);
  request.headers.add("Host", std::move(url.host_header));
  request.headers.add("Content-Type", "application/json");
  request.headers.add("User-Agent", options_.user_agent);
  request.headers.add("webhook-id", delivery.event.id);
  request.headers.add("webhook-timestamp", std::to_string(seconds));
  request.headers.add("webhook-signature", std::move(signature));
  request.headers.add("traceparent", observe::traceparent_of(trace.context));
  if (!trace.state.empty()) request.headers.add("tracestate", trace.state);
  add_attributes(request.headers, delivery.event.client_context);
  request.headers.add("Connection", "close");
  co_return request;
}

Task<Result<WebhookAnswer>> WebhookSender::send(const ClaimedEvent& delivery,
                                                const invoke::CallTrace& trace) {
  const auto deadline = steady_clock::now() + options_.timeout;
  auto url = parse_webhook_url(delivery.event.url, options_.rules);
  if (!url) co_return fail(std::move(url.error()).as(ErrorCode::denied));
  auto endpoint = co_await checked(url->endpoint, deadline);
  if (!endpoint) co_return fail(std::move(endpoint.error()));
  auto request = co_await request_of(delivery, trace, std::move(*url));
  if (!request) co_return fail(std::move(request.error()));
  auto connection = co_await http::ClientConnection::connect(*endpoint, deadline);
  if (!connection) {
    names_.forget(endpoint->host);
    co_return fail(std::move(connection.error()));
  }
  http::BufferedBody body(delivery.event.payload);
  auto response = co_await (*connection)->exchange(std::move(*request), body, deadline);
  if (!response) co_return fail(std::move(response.error()));
  WebhookAnswer answer;
  answer.status = response->status;
  answer.location = response->headers.get("Location");
  answer.retry_after = response->headers.get("Retry-After");
  co_await drop_body(**connection, deadline);
  co_await (*connection)->stop_sending();
  co_return answer;
}

}  // namespace lambda::events
