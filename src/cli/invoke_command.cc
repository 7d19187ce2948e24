// lambda invoke: the payload on standard output, verbatim; everything else on standard error.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/event_result.h"
#include "cli/event_text.h"
#include "cli/exit_code.h"
#include "cli/foreign_text.h"
#include "cli/output.h"
#include "cli/waterfall.h"

#include <boost/json.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <unistd.h>

namespace lambda::cli {
namespace {

constexpr std::size_t kExplained = 1u << 20;

Result<std::string> read_payload(const InvokeOptions& options) {
  std::ostringstream text;
  if (options.data) {
    text << *options.data;
  } else if (options.file == "-" || (options.file.empty() && !is_terminal(STDIN_FILENO))) {
    text << std::cin.rdbuf();
  } else if (!options.file.empty()) {
    std::ifstream file(options.file, std::ios::binary);
    std::error_code error;
    if (!file || std::filesystem::is_directory(options.file, error))
      return fail(ErrorCode::invalid, "cannot read the file {}", options.file);
    text << file.rdbuf();
  }
  auto payload = text.str();
  if (payload.find_first_not_of(" \t\r\n") == std::string::npos) return std::string("{}");
  if (auto good = check_event(payload); !good) {
    return fail(ErrorCode::invalid, "{}, a file -f FILE", good.error().message());
  }
  return payload;
}

// Where the server tells no trace (a key that may not read it, a server that keeps none): what the
// answer itself says.
void show_timing_of(std::string_view text) {
  std::map<std::string, double> parts;
  std::istringstream items{std::string(text)};
  std::string item;
  while (std::getline(items, item, ';')) {
    const auto equals = item.find('=');
    if (equals != std::string::npos)
      parts[item.substr(0, equals)] = std::strtod(item.c_str() + equals + 1, nullptr) / 1000.0;
  }
  // The first call of an instance that was started before the call came, by a deploy say, waited
  // for no start.
  const bool ahead = parts["cold"] > 0 && parts["total"] < parts["start"] + parts["init"];
  const bool cold = parts["cold"] > 0 && !ahead;
  std::fprintf(stderr, "%s: %.1f ms in all",
               cold    ? "cold start"
               : ahead ? "first call of an instance started before it"
                       : "warm start",
               parts["total"]);
  if (cold)
    std::fprintf(stderr, " (sandbox %.1f, init %.1f, handler %.1f)", parts["start"], parts["init"],
                 parts["handler"]);
  else
    std::fprintf(stderr, " (waiting %.1f, handler %.1f)", parts["waiting"], parts["handler"]);
  std::fputc('\n', stderr);
}

void show_timing(ServerConnection& server, const http::Response& response) {
  const auto id = response.headers.get("x-amzn-RequestId");
  auto reply = server.json("GET", "/_lambda/traces/" + percent_encode(id));
  if (!reply || array_in(*reply, "calls").empty())
    return show_timing_of(response.headers.get("X-Lambda-Timing"));
  std::fprintf(stderr, "%s",
               waterfall(array_in(*reply, "calls"), waterfall_canvas(STDERR_FILENO)).c_str());
}

// Of "greet:live" and AWS's other spellings, the server's to read: what stands before the
// qualifier.
std::string unqualified(std::string_view spelling) {
  constexpr std::string_view kBefore = "function:";
  const auto at = spelling.find(kBefore);
  const auto name = at == std::string_view::npos ? 0 : at + kBefore.size();
  return std::string(spelling.substr(0, spelling.find(':', name)));
}

// The function's name.
std::string name_alone(std::string_view spelling) {
  const auto whole = unqualified(spelling);
  return whole.substr(whole.rfind(':') + 1);
}

// `error_type` is what the server knows where the payload says nothing: "Http.500".
void explain_failure(const std::string& name, const std::string& payload,
                     std::string_view error_type) {
  constexpr std::string_view kHttp = "Http.";
  boost::system::error_code error;
  const auto value = boost::json::parse(payload, error);
  std::string what = "the function failed";
  bool said = false;
  if (!error && value.is_object()) {
    for (const char* member : {"errorType", "errorMessage"}) {
      const auto text = text_in(value.as_object(), member);
      if (text.empty()) continue;
      what += ": " + text;
      said = true;
    }
  }
  if (!said && error_type.starts_with(kHttp))
    what += fmt::format(": it answered with the status {}", error_type.substr(kHttp.size()));
  std::fprintf(stderr, "lambda: %s\n        (its output: lambda logs %s)\n",
               for_person(what, STDERR_FILENO).c_str(), name.c_str());
}

// What there is instead of a qualifier that is not there; "" where the function is not either: an
// ARN may be that of another server's.
std::string qualifiers_of(ServerConnection& server, const std::string& spelling) {
  const auto known = server.json(
      "GET", "/2015-03-31/functions/" + percent_encode(unqualified(spelling)) + "/configuration");
  if (!known) return {};
  const auto name = name_alone(spelling);
  auto versions = server.json("GET", function_path(name, "/versions"));
  auto function = server.json("GET", function_path(name));
  if (!versions || !function) return {};
  std::string text = "\n        There are: $LATEST";
  for (const auto& item : array_in(*versions, "versions"))
    text += ", " + std::to_string(number_in(item.as_object(), "version"));
  for (const auto& item : array_in(*function, "aliases")) {
    const auto& alias = item.as_object();
    text += fmt::format(", {} ({})", text_in(alias, "name"), text_in(alias, "version"));
  }
  return text;
}

// Into the queue: the id is what the function's logs and `lambda result` know it by.
int submit(ServerConnection& server, const InvokeOptions& options, std::string path,
           std::string payload, http::Headers headers) {
  headers.add("X-Amz-Invocation-Type", "Event");
  if (!options.token.empty()) headers.add("X-Lambda-Idempotency-Key", options.token);
  auto response = server.call("POST", std::move(path), std::move(payload), std::move(headers));
  if (!response) return explain(response.error());
  const std::string id(response->headers.get("x-amzn-RequestId"));
  if (options.wait) {
    // Whatever becomes of the wait, the event is known by it.
    std::fprintf(stderr, "Accepted as %s; lambda result %s --wait goes on\n", id.c_str(),
                 id.c_str());
    return show_result(server, id, true);
  }
  std::printf("%s\n", id.c_str());
  if (is_terminal(STDOUT_FILENO))
    std::fprintf(stderr, "Accepted. What came of it: lambda result %s --wait\n", id.c_str());
  return kDone;
}

}  // namespace

int invoke(const ConnectionOptions& connection, const InvokeOptions& options) {
  auto payload = read_payload(options);
  if (!payload) return explain(payload.error());
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  http::Headers headers;
  headers.add("Content-Type", "application/json");
  if (options.logs) headers.add("X-Amz-Log-Type", "Tail");
  auto path = function_path(options.name, "/invocations");
  if (!options.qualifier.empty()) path += "?qualifier=" + percent_encode(options.qualifier);
  if (options.async) {
    return submit(*connected.server, options, std::move(path), std::move(*payload),
                  std::move(headers));
  }
  std::string beginning;  // enough of it to explain a failure
  bool ends_line = true;
  const std::function<void(std::string_view)> write = [&](std::string_view piece) {
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    if (beginning.size() < kExplained) beginning += piece.substr(0, kExplained);
    ends_line = piece.ends_with('\n');
  };
  http::BufferedBody body(std::move(*payload));
  auto response =
      connected.server->stream("POST", std::move(path), body, std::move(headers), write, kForCalls);
  if (!ends_line && is_terminal(STDOUT_FILENO)) std::fputc('\n', stdout);
  std::fflush(stdout);
  const auto name = name_alone(options.name);
  const bool qualified = !options.qualifier.empty() || name != options.name;
  if (!response && response.error().code() == ErrorCode::not_found && qualified) {
    return explain(Error(ErrorCode::not_found, response.error().message() +
                                                   qualifiers_of(*connected.server, options.name)));
  }
  if (!response) return explain(response.error());
  if (options.logs) {
    const auto log = base64_decode(response->headers.get("X-Amz-Log-Result"));
    if (log) std::fprintf(stderr, "%s", for_person(*log, STDERR_FILENO).c_str());
  }
  if (options.timing) show_timing(*connected.server, *response);
  if (!response->headers.has("X-Amz-Function-Error")) return kDone;
  explain_failure(name, beginning, response->headers.get("X-Lambda-Error-Type"));
  return kFunctionFailed;
}

}  // namespace lambda::cli
