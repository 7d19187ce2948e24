// lambda stats.
#include "cli/commands.h"
#include "cli/connection/json_fields.h"
#include "cli/exit_code.h"
#include "cli/live_screen.h"
#include "cli/output.h"
#include "cli/stats_text.h"

#include <cstdio>
#include <optional>
#include <unistd.h>
#include <utility>

namespace lambda::cli {
namespace {

constexpr std::chrono::seconds kPause{1};
// What is no terminal is taken for a page of this width.
constexpr std::size_t kPageWidth = 120;

// As much of it as fits; the line under it is the cursor's.
Canvas canvas_for(bool watching) {
  auto canvas = canvas_of(STDOUT_FILENO, kPageWidth);
  const auto lines = screen_size().lines;
  if (watching && lines > 2) canvas.height = lines - 1;
  return canvas;
}

Result<boost::json::object> ask(ServerConnection& server, const StatsOptions& options) {
  return server.json("GET", options.name.empty() ? std::string("/_lambda/stats")
                                                 : function_path(options.name, "/stats"));
}

std::vector<std::string> lines_of(const boost::json::object& stats, const StatsOptions& options,
                                  const Canvas& canvas) {
  return options.name.empty() ? stats_text(stats, canvas) : function_stats_text(stats, canvas);
}

// For programs.
void print(const boost::json::object& stats, const StatsOptions& options) {
  if (options.json) {
    print_json(stats);
  } else {
    std::fputs(stats_listing(stats).text().c_str(), stdout);
  }
}

// A server that is started again meanwhile is waited for.
int watch(ServerConnection& server, const StatsOptions& options, boost::json::object stats) {
  LiveScreen screen;
  std::optional<std::string> problem;
  while (true) {
    bool read = true;
    if (options.json || options.rows) {
      if (!problem) print(stats, options);
      read = std::fflush(stdout) == 0;
    } else {
      auto canvas = canvas_for(true);
      if (problem && canvas.height > 1) --canvas.height;
      auto lines = lines_of(stats, options, canvas);
      if (problem) lines.push_back(shortened(*problem, canvas.width - 3));
      read = screen.draw(lines);
    }
    if (!read || !screen.wait(kPause)) return kDone;
    auto next = ask(server, options);
    problem.reset();
    if (next) {
      stats = std::move(*next);
    } else if (next.error().code() == ErrorCode::unavailable ||
               next.error().code() == ErrorCode::timeout) {
      problem = next.error().message();
    } else {
      return explain(next.error());
    }
  }
}

}  // namespace

int stats(const ConnectionOptions& connection, const StatsOptions& options) {
  auto connected = connect(connection);
  if (!connected.server) return connected.code;
  auto reply = ask(*connected.server, options);
  if (!reply) return explain(reply.error());
  if (options.watch) return watch(*connected.server, options, std::move(*reply));
  if (options.json || options.rows) {
    print(*reply, options);
    return kDone;
  }
  for (const auto& line : lines_of(*reply, options, canvas_for(false)))
    std::printf("%s\n", line.c_str());
  return kDone;
}

}  // namespace lambda::cli
