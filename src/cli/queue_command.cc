// lambda queue and its commands: the events that wait, run, or are dead; lambda result.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/event_result.h"
#include "cli/event_text.h"
#include "cli/exit_code.h"
#include "cli/foreign_text.h"
#include "cli/output.h"
#include "cli/unknown_name.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <unistd.h>

namespace lambda::cli {
namespace {

using boost::json::object;

std::string event_path(const std::string& id, std::string_view rest = {}) {
  return "/_lambda/events/" + percent_encode(id) + std::string(rest);
}

// 8-4-4-4-12 hexadecimal digits; everything else is a function's name.
bool is_event_id(std::string_view text) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return text.size() == kShape.size() &&
         std::equal(text.begin(), text.end(), kShape.begin(), [](char c, char shape) {
           return shape == '-' ? c == '-' : std::isxdigit(static_cast<unsigned char>(c)) != 0;
         });
}

std::string when(const object& event, std::string_view name) {
  const auto time = text_in(event, name);
  return time.empty() ? std::string() : ago_text(time, now_seconds());
}

void show_event(const object& event, const std::string& payload) {
  const auto row = [](const char* name, const std::string& value) {
    if (!value.empty()) std::printf("%-12s %s\n", name, for_person(value, STDOUT_FILENO).c_str());
  };
  row("Event", text_in(event, "id"));
  const auto qualifier = text_in(event, "qualifier");
  row("Function", text_in(event, "function") + (qualifier.empty() ? "" : ":" + qualifier));
  row("Webhook", text_in(event, "url"));
  row("State", text_in(event, "state"));
  row("Source", text_in(event, "source"));
  row("Accepted", text_in(event, "accepted"));
  row("Next attempt", text_in(event, "due"));
  row("Finished", text_in(event, "finished"));
  row("Failed", counted(static_cast<std::uint64_t>(number_in(event, "failedAttempts")), "time"));
  if (number_in(event, "throttles") > 0)
    row("Not called", counted(static_cast<std::uint64_t>(number_in(event, "throttles")), "time"));
  row("Version", text_in(event, "executedVersion"));
  const auto type = text_in(event, "errorType");
  const auto message = text_in(event, "errorMessage");
  row("Last error", type + (type.empty() || message.empty() ? "" : ": ") + message);
  row("Payload", payload);
}

int tell_count(const QueueOptions& options, const object& reply, std::string_view member,
               const char* what) {
  const auto count = static_cast<std::uint64_t>(number_in(reply, member));
  tell(options.json, reply,
       fmt::format("{} {} of \"{}\".", what, counted(count, "event"), options.subject));
  return kDone;
}

}  // namespace

int queue(const ConnectionOptions& connection, const QueueOptions& options) {
  const auto& name = options.subject;
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto path = std::string("/_lambda/queue");
  if (!name.empty()) path += "?function=" + percent_encode(name);
  auto reply = connected.server->json("GET", std::move(path));
  if (!reply) return explain(unknown_name(reply.error(), name, "lambda queue", options.commands));
  if (options.json) {
    print_json(*reply);
    return kDone;
  }
  const auto& functions = array_in(*reply, "functions");
  if (functions.empty()) {
    std::fprintf(stderr, "Nothing waits%s.\n",
                 name.empty() ? "" : (" for \"" + name + "\"").c_str());
    return kDone;
  }
  Table table({"FUNCTION", "WAITING", "RUNNING", "RETRYING", "DEAD", "OLDEST"});
  for (const auto& item : functions) {
    const auto& depth = item.as_object();
    const auto number = [&depth](std::string_view member) {
      return std::to_string(number_in(depth, member));
    };
    table.add({text_in(depth, "name"), number("waiting"), number("running"), number("retrying"),
               number("dead"), when(depth, "oldest")});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

int queue_list(const ConnectionOptions& connection, const QueueOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  const auto before =
      options.before.empty() ? std::string() : "&before=" + percent_encode(options.before);
  // One more says whether there are more; of the most there can be, that is not known.
  const auto asked = std::min(options.limit + 1, kMostListed);
  auto reply = connected.server->json("GET", function_path(options.subject, "/events") +
                                                 "?state=" + options.state +
                                                 "&limit=" + std::to_string(asked) + before);
  if (!reply) return explain(reply.error());
  auto events = array_in(*reply, "events");
  const bool more = events.size() > options.limit || events.size() == kMostListed;
  if (events.size() > options.limit) events.resize(options.limit);
  if (options.json) {
    (*reply)["events"] = events;
    print_json(*reply);
    return kDone;
  }
  if (events.empty()) {
    std::fprintf(stderr, "No event of \"%s\" is %s.\n", options.subject.c_str(),
                 options.state.c_str());
    return kDone;
  }
  Table table({"EVENT", "ACCEPTED", "FAILED", "LAST ERROR"});
  for (const auto& item : events) {
    const auto& event = item.as_object();
    const auto type = text_in(event, "errorType");
    const auto message = text_in(event, "errorMessage");
    table.add({text_in(event, "id"), when(event, "accepted"),
               std::to_string(number_in(event, "failedAttempts")),
               type + (type.empty() || message.empty() ? "" : ": ") + shortened(message, 60)});
  }
  std::fputs(table.text().c_str(), stdout);
  if (more) {
    const auto state = options.state == "dead" ? "" : " --state " + options.state;
    std::fprintf(stderr, "Older ones: lambda queue list %s%s -n %llu --before %s\n",
                 options.subject.c_str(), state.c_str(),
                 static_cast<unsigned long long>(options.limit),
                 text_in(events.back().as_object(), "id").c_str());
  }
  return kDone;
}

int queue_show(const ConnectionOptions& connection, const QueueOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto event = connected.server->json("GET", event_path(options.subject));
  if (!event) return explain(event.error());
  auto payload = connected.server->call("GET", event_path(options.subject, "/payload"));
  if (!payload) return explain(payload.error());
  if (options.json) {
    (*event)["payload"] = payload->body;
    print_json(*event);
  } else {
    show_event(*event, payload->body);
  }
  return kDone;
}

int queue_cancel(const ConnectionOptions& connection, const QueueOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto done = connected.server->call("DELETE", event_path(options.subject));
  if (!done) return explain(done.error());
  tell(options.json, {{"event", options.subject}, {"cancelled", true}},
       fmt::format("Cancelled event {}.", options.subject));
  return kDone;
}

int queue_redrive(const ConnectionOptions& connection, const QueueOptions& options) {
  if (options.data) {
    if (!is_event_id(options.subject)) {
      return explain(Error(
          ErrorCode::invalid,
          "--data edits one event: name it by its id (lambda queue list " + options.subject + ")"));
    }
    if (const auto good = check_event(*options.data); !good) return explain(good.error());
  }
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  if (is_event_id(options.subject)) {
    auto done = connected.server->call("POST", event_path(options.subject, "/redrive"),
                                       options.data.value_or(""));
    if (!done) return explain(done.error());
    tell(options.json, {{"event", options.subject}, {"redriven", 1}},
         fmt::format("Event {} waits again.", options.subject));
    return kDone;
  }
  auto reply = connected.server->json("POST", function_path(options.subject, "/events/redrive"));
  if (!reply) return explain(reply.error());
  return tell_count(options, *reply, "redriven", "Queued again:");
}

int queue_purge(const ConnectionOptions& connection, const QueueOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  if (!options.yes) {
    if (!is_terminal(STDIN_FILENO)) {
      return explain(
          Error(ErrorCode::invalid, "purging cannot be undone: say -y where nobody can be asked"));
    }
    if (!agreed(fmt::format("Remove every {} event of \"{}\" for good?", options.state,
                            options.subject))) {
      std::fputs("Nothing was removed.\n", stderr);
      return kFailed;
    }
  }
  auto reply = connected.server->json(
      "DELETE", function_path(options.subject, "/events") + "?state=" + options.state);
  if (!reply) return explain(reply.error());
  return tell_count(options, *reply, "removed", "Removed");
}

int result(const ConnectionOptions& connection, const std::string& id, bool wait) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  return show_result(*connected.server, id, wait);
}

}  // namespace lambda::cli
