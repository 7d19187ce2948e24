#include "cli/event_result.h"

#include "base/encoding.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/foreign_text.h"
#include "cli/output.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <unistd.h>

namespace lambda::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{20};
constexpr milliseconds kLongestPause{1'000};

bool has_ended(const boost::json::object& event) {
  const auto state = text_in(event, "state");
  return state == "succeeded" || state == "dead";
}

// Said once for each attempt that failed: who waits shall know what for.
void tell_failure(const boost::json::object& event, std::int64_t& told) {
  const auto failed = number_in(event, "failedAttempts");
  if (failed <= told || text_in(event, "state") != "waiting") return;
  told = failed;
  std::fprintf(stderr, "lambda: event %s: attempt %s failed (%s: %s); the next is due at %s\n",
               text_in(event, "id").c_str(), std::to_string(failed).c_str(),
               for_person(text_in(event, "errorType"), STDERR_FILENO).c_str(),
               for_person(shortened(text_in(event, "errorMessage"), 200), STDERR_FILENO).c_str(),
               text_in(event, "due").c_str());
}

}  // namespace

int show_result(ServerConnection& server, const std::string& id, bool wait) {
  const auto path = "/_lambda/events/" + percent_encode(id);
  auto event = server.json("GET", path);
  std::int64_t told = 0;
  for (auto pause = kFirstPause; wait && event && !has_ended(*event);
       pause = std::min(pause * 2, kLongestPause)) {
    tell_failure(*event, told);
    std::this_thread::sleep_for(pause);
    event = server.json("GET", path);
  }
  if (!event) return explain(event.error());
  if (!has_ended(*event)) {
    std::fprintf(stderr, "lambda: event %s is %s; --wait waits for its end\n", id.c_str(),
                 text_in(*event, "state").c_str());
    return kFailed;
  }
  auto response = server.call("GET", path + "/result");
  if (!response) return explain(response.error());
  std::fwrite(response->body.data(), 1, response->body.size(), stdout);
  if (!response->body.ends_with('\n') && is_terminal(STDOUT_FILENO)) std::fputc('\n', stdout);
  std::fflush(stdout);
  if (text_in(*event, "state") == "succeeded") return kDone;
  std::fprintf(stderr,
               "lambda: the event is dead: %s: %s\n        (again: lambda queue redrive %s)\n",
               for_person(text_in(*event, "errorType"), STDERR_FILENO).c_str(),
               for_person(text_in(*event, "errorMessage"), STDERR_FILENO).c_str(), id.c_str());
  return kFunctionFailed;
}

}  // namespace lambda::cli
