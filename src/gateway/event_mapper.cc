// Steps: request line and query -> headers, cookies -> requestContext -> body.
#include "gateway/event_mapper.h"

#include "base/encoding.h"
#include "gateway/forwarded.h"
#include "gateway/json_text.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lambda::gateway {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += '"';
  out += name;
  out += "\":";
  append_json(out, value);
}

// A URI has ASCII alone; what a client sent beyond it is escaped, so that the path stays lossless.
std::string ascii_only(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

// Fields of the connection, not of the request; Cookie has a place of its own.
bool is_left_out(std::string_view name) {
  constexpr std::array<std::string_view, 7> names = {
      "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
      "expect",     "cookie"};
  return std::ranges::find(names, name) != names.end() || is_forwarded_field(name);
}

// Adds to the value of a name that is there already, joined with ','.
void join(Fields& fields, std::string name, std::string value) {
  const auto same = std::ranges::find(fields, name, &Fields::value_type::first);
  if (same == fields.end()) {
    fields.emplace_back(std::move(name), std::move(value));
  } else {
    same->second += ',';
    same->second += value;
  }
}

void append_object(std::string& out, const Fields& fields) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : fields) {
    if (!std::exchange(first, false)) out += ',';
    append_json(out, name);
    out += ':';
    append_json(out, value);
  }
  out += '}';
}

Fields headers_of(const http::Request& request, const Route& route, std::string_view trace_id) {
  Fields fields;
  for (const auto& field : request.headers) {
    auto name = to_lower(field.name);
    if (is_left_out(name)) continue;
    join(fields, std::move(name), utf8_or_latin1(field.value));
  }
  for (auto& [name, value] : forwarded_fields(request, route, trace_id)) {
    fields.emplace_back(std::move(name), utf8_or_latin1(value));
  }
  return fields;
}

std::vector<std::string> cookies_of(const http::Request& request) {
  std::vector<std::string> cookies;
  for (const auto& field : request.headers) {
    if (!equals_ignoring_case(field.name, "cookie")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const auto end = rest.find(';');
      auto cookie = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      while (cookie.starts_with(' ') || cookie.starts_with('\t')) cookie.remove_prefix(1);
      while (cookie.ends_with(' ') || cookie.ends_with('\t')) cookie.remove_suffix(1);
      if (!cookie.empty()) cookies.push_back(utf8_or_latin1(cookie));
    }
  }
  return cookies;
}

// 12/Mar/2020:19:03:58 +0000
std::string log_time(WallTime time) {
  constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000", parts.tm_mday,
                     months.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void append_authorizer(std::string& out, const access::Caller& caller) {
  out += ",\"authorizer\":{\"iam\":{";
  append_member(out, "accessKey", caller.access_key);
  out += ',';
  append_member(out, "accountId", caller.account);
  out += ',';
  append_member(out, "callerId", caller.user_id);
  out += ",\"cognitoIdentity\":null,\"principalOrgId\":null,";
  append_member(out, "userArn", caller.user_arn);
  out += ',';
  append_member(out, "userId", caller.user_id);
  out += "}}";
}

void append_context(std::string& out, const http::Request& request, std::string_view raw_path,
                    const EventContext& context) {
  auto domain = host_name(request.headers.get("Host"));
  if (domain.empty()) domain = "localhost";
  out += "\"requestContext\":{";
  append_member(out, "accountId", context.caller ? context.caller->account : "anonymous");
  out += ',';
  append_member(out, "apiId", context.url_id);
  out += ",\"authentication\":null";
  if (context.caller) append_authorizer(out, *context.caller);
  out += ',';
  append_member(out, "domainName", domain);
  out += ',';
  append_member(out, "domainPrefix", context.url_id);
  out += ",\"http\":{";
  append_member(out, "method", request.method);
  out += ',';
  append_member(out, "path", raw_path);
  out += request.version == 10 ? ",\"protocol\":\"HTTP/1.0\"," : ",\"protocol\":\"HTTP/1.1\",";
  append_member(out, "sourceIp", source_ip(request.peer));
  out += ',';
  append_member(out, "userAgent", utf8_or_latin1(request.headers.get("User-Agent")));
  out += "},";
  append_member(out, "requestId", context.request_id);
  out += ",\"routeKey\":\"$default\",\"stage\":\"$default\",";
  append_member(out, "time", log_time(context.time));
  out += fmt::format(",\"timeEpoch\":{}}}", context.time.time_since_epoch().count());
}

// Tens of thousands fit into one head: each is found by its name, not by a look at all before it.
void append_query(std::string& out, std::string_view query) {
  Fields parameters;
  std::unordered_map<std::string, std::size_t> places;
  for (auto& [name, value] : http::parse_query(query)) {
    const auto [place, is_new] = places.try_emplace(name, parameters.size());
    if (is_new) {
      parameters.emplace_back(std::move(name), std::move(value));
    } else {
      auto& joined = parameters[place->second].second;
      joined += ',';
      joined += value;
    }
  }
  if (parameters.empty()) return;
  out += "\"queryStringParameters\":";
  append_object(out, parameters);
  out += ',';
}

void append_cookies(std::string& out, const http::Request& request) {
  const auto cookies = cookies_of(request);
  if (cookies.empty()) return;
  out += "\"cookies\":[";
  bool first = true;
  for (const auto& cookie : cookies) {
    if (!std::exchange(first, false)) out += ',';
    append_json(out, cookie);
  }
  out += "],";
}

}  // namespace

bool is_text_type(std::string_view content_type) {
  auto type = to_lower(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  return type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
         type == "application/javascript" || type.ends_with("+json") || type.ends_with("+xml");
}

std::string make_event(const http::Request& request, const Route& route, std::string_view body,
                       const EventContext& context) {
  const auto raw_path = ascii_only(route.path());
  std::string out;
  out.reserve(1024 + body.size() * 4 / 3);
  out += "{\"version\":\"2.0\",\"routeKey\":\"$default\",";
  append_member(out, "rawPath", raw_path);
  out += ',';
  append_member(out, "rawQueryString", ascii_only(route.query()));
  out += ',';
  append_cookies(out, request);
  out += "\"headers\":";
  append_object(out, headers_of(request, route, context.trace_id));
  out += ',';
  append_query(out, route.query());
  append_context(out, request, raw_path, context);
  const bool text = is_text_type(request.headers.get("Content-Type")) && is_valid_utf8(body);
  if (!body.empty()) {
    out += ',';
    append_member(out, "body", text ? std::string(body) : base64_encode(body));
  }
  out += body.empty() || text ? ",\"isBase64Encoded\":false}" : ",\"isBase64Encoded\":true}";
  return out;
}

}  // namespace lambda::gateway
