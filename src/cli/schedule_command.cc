// lambda schedule and its commands: when functions are called by themselves.
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/event_text.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/schedule_text.h"
#include "cli/unknown_name.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace lambda::cli {
namespace {

using boost::json::object;

std::string schedule_path(const std::string& function, const std::string& name,
                          std::string_view rest = {}) {
  return function_path(function, "/schedules/" + percent_encode(name) + std::string(rest));
}

void set(object& body, const char* name, const std::optional<std::string>& value) {
  if (value) body[name] = *value;
}

void show_next(const object& schedule) {
  const char* label = "Next";
  for (const auto& time : array_in(schedule, "times")) {
    std::printf("%-5s %s\n", label, shown_time(time.as_string()).c_str());
    label = "";
  }
}

// The one that is meant: by its name, else the function's only one, else "default".
Result<std::string> chosen_name(ServerConnection& server, const ScheduleOptions& options) {
  if (options.name) return *options.name;
  auto reply = server.json("GET", function_path(options.function, "/schedules"));
  if (!reply) return fail(std::move(reply.error()));
  const auto& schedules = array_in(*reply, "schedules");
  if (schedules.size() == 1) return text_in(schedules.front().as_object(), "name");
  std::string names;
  for (const auto& item : schedules) {
    auto name = text_in(item.as_object(), "name");
    if (name == "default") return name;
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) {
    return fail(ErrorCode::not_found,
                "\"{0}\" has no schedule; make one with: lambda schedule {0} --cron \"0 * * * *\"",
                options.function);
  }
  return fail(ErrorCode::invalid, "\"{}\" has several schedules: choose one with --name ({})",
              options.function, names);
}

int save(const ConnectionOptions& connection, const ScheduleOptions& options) {
  if (options.data) {
    if (const auto good = check_event(*options.data); !good) return explain(good.error());
  }
  object body;
  set(body, "cron", options.cron);
  set(body, "timezone", options.timezone);
  set(body, "overlap", options.overlap);
  set(body, "misfire", options.misfire);
  set(body, "jitter", options.jitter);
  set(body, "data", options.data);
  set(body, "from", options.from);
  set(body, "until", options.until);
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  const auto name = options.name.value_or("default");
  auto saved = connected.server->json("PUT", schedule_path(options.function, name), &body);
  if (!saved) return explain(saved.error());
  if (options.json) {
    print_json(*saved);
    return kDone;
  }
  std::printf("Scheduled function \"%s\" with cron: %s\n", options.function.c_str(),
              text_in(*saved, "cron").c_str());
  show_next(*saved);
  const auto* before = saved->if_contains("replaced");
  if (before != nullptr && before->is_object()) {
    std::fprintf(stderr, "It replaces the schedule \"%s\" as it was (%s); --name makes another.\n",
                 name.c_str(), replaced_text(before->get_object(), *saved).c_str());
  }
  if (flag_in(*saved, "paused")) {
    std::fprintf(stderr, "It is paused; go on with: lambda schedule resume %s --name %s\n",
                 options.function.c_str(), name.c_str());
  }
  return kDone;
}

int show_list(const ConnectionOptions& connection, const ScheduleOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = connected.server->json("GET", options.function.empty()
                                                 ? std::string("/_lambda/schedules")
                                                 : function_path(options.function, "/schedules"));
  if (!reply) {
    if (options.commands.empty()) return explain(reply.error());
    return explain(
        unknown_name(reply.error(), options.function, "lambda schedule", options.commands));
  }
  if (options.json) {
    print_json(*reply);
    return kDone;
  }
  const auto& schedules = array_in(*reply, "schedules");
  if (schedules.empty()) {
    std::fprintf(stderr, "No schedules%s. Make one with: lambda schedule %s --cron \"0 * * * *\"\n",
                 options.function.empty() ? "" : (" of \"" + options.function + "\"").c_str(),
                 options.function.empty() ? "NAME" : options.function.c_str());
    return kDone;
  }
  Table table({"FUNCTION", "SCHEDULE", "CRON", "TIME ZONE", "NEXT"}, 2);
  for (const auto& item : schedules) {
    const auto& schedule = item.as_object();
    table.add({text_in(schedule, "function"), text_in(schedule, "name"), text_in(schedule, "cron"),
               text_in(schedule, "timezone"), next_text(schedule)});
  }
  std::fputs(table.text().c_str(), stdout);
  return kDone;
}

std::string lateness_text(const object& firing) {
  const auto* late = firing.if_contains("latenessMs");
  if (late == nullptr || !late->is_number()) return "";
  const auto ms = late->to_number<std::int64_t>();
  return std::abs(ms) < 1'000 ? fmt::format("{} ms", ms)
                              : fmt::format("{:.1f} s", static_cast<double>(ms) / 1e3);
}

// Above it the server has not counted to the end.
constexpr std::int64_t kMostCounted = 9'000;

std::string outcome_text(const object& firing) {
  auto text = text_in(firing, "outcome");
  if (text == "skipped") text += ": the one before was not over";
  const auto count = number_in(firing, "count");
  if (count > 1) text += fmt::format(" ({}{})", count > kMostCounted ? "at least " : "", count);
  return text;
}

void show_firings(const object& schedule) {
  const auto& firings = array_in(schedule, "firings");
  if (firings.empty()) return;
  Table table({"TIME", "", "LATE", "RESULT", "EVENT"});
  for (const auto& item : firings) {
    const auto& firing = item.as_object();
    auto result = text_in(firing, "state");
    if (const auto error = text_in(firing, "error"); !error.empty())
      result += ": " + shortened(error, 60);
    table.add({shown_time(text_in(firing, "time")), outcome_text(firing), lateness_text(firing),
               result, text_in(firing, "event")});
  }
  std::printf("\n%s", table.text().c_str());
}

void show_schedule(const object& schedule) {
  const auto row = [](const char* name, const std::string& value) {
    if (!value.empty()) std::printf("%-10s %s\n", name, value.c_str());
  };
  row("Function", text_in(schedule, "function"));
  row("Schedule",
      text_in(schedule, "name") + (flag_in(schedule, "declared") ? " (from lambda.toml)" : ""));
  row("Cron", text_in(schedule, "cron"));
  row("Time zone", text_in(schedule, "timezone"));
  row("Overlap", text_in(schedule, "overlap"));
  row("Misfire", text_in(schedule, "misfire"));
  row("Jitter", text_in(schedule, "jitter"));
  row("From", shown_time(text_in(schedule, "from")));
  row("Until", shown_time(text_in(schedule, "until")));
  row("Event", text_in(schedule, "data"));
  if (const auto queued = number_in(schedule, "queued"); queued > 0)
    row("Queued", std::to_string(queued));
  row("Problem", text_in(schedule, "problem"));
  if (flag_in(schedule, "paused")) row("Paused", "yes");
  std::printf("\n");
  show_next(schedule);
  show_firings(schedule);
}

// Its firings that are events already stay in the queue when it goes.
void tell_what_waits(const object& schedule, const std::string& function) {
  const auto waiting =
      std::ranges::count_if(array_in(schedule, "firings"), [](const boost::json::value& firing) {
        return text_in(firing.as_object(), "state") == "waiting";
      });
  if (waiting == 0) return;
  std::fprintf(stderr,
               "Of its newest firings %s in the queue yet, to be carried out all the same: lambda "
               "queue list %s --state waiting\n",
               waiting == 1 ? "one is" : fmt::format("{} are", waiting).c_str(), function.c_str());
}

// POST to the schedule's path and this.
int steer(const ConnectionOptions& connection, const ScheduleOptions& options,
          std::string_view what, const char* said) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto name = chosen_name(*connected.server, options);
  if (!name) return explain(name.error());
  auto done = connected.server->json("POST", schedule_path(options.function, *name, what));
  if (!done) return explain(done.error());
  if (options.json) {
    print_json(*done);
    return kDone;
  }
  if (const auto event = text_in(*done, "event"); !event.empty()) {
    std::printf("%s\n", event.c_str());
    if (is_terminal(STDOUT_FILENO))
      std::fprintf(stderr, "%s. What came of it: lambda result %s --wait\n", said, event.c_str());
    return kDone;
  }
  std::printf("%s the schedule \"%s\" of \"%s\".\n", said, name->c_str(), options.function.c_str());
  return kDone;
}

}  // namespace

int schedule(const ConnectionOptions& connection, const ScheduleOptions& options) {
  return options.cron ? save(connection, options) : show_list(connection, options);
}

int schedule_show(const ConnectionOptions& connection, const ScheduleOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto name = chosen_name(*connected.server, options);
  if (!name) return explain(name.error());
  auto shown = connected.server->json("GET", schedule_path(options.function, *name));
  if (!shown) return explain(shown.error());
  if (options.json) {
    print_json(*shown);
  } else {
    show_schedule(*shown);
  }
  return kDone;
}

int schedule_pause(const ConnectionOptions& connection, const ScheduleOptions& options) {
  return steer(connection, options, "/pause", "Paused");
}

int schedule_resume(const ConnectionOptions& connection, const ScheduleOptions& options) {
  return steer(connection, options, "/resume", "Resumed");
}

int schedule_run(const ConnectionOptions& connection, const ScheduleOptions& options) {
  return steer(connection, options, "/run", "Fired");
}

int schedule_delete(const ConnectionOptions& connection, const ScheduleOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto name = chosen_name(*connected.server, options);
  if (!name) return explain(name.error());
  const auto path = schedule_path(options.function, *name);
  auto shown = connected.server->json("GET", path);
  if (!shown) return explain(shown.error());
  auto done = connected.server->call("DELETE", path);
  if (!done) return explain(done.error());
  tell(options.json, {{"function", options.function}, {"name", *name}, {"deleted", true}},
       fmt::format("Deleted the schedule \"{}\" of \"{}\".", *name, options.function));
  tell_what_waits(*shown, options.function);
  return kDone;
}

}  // namespace lambda::cli
