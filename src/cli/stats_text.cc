#include "cli/stats_text.h"

#include "base/encoding.h"
#include "cli/connection/json_fields.h"
#include "cli/output.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lambda::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kLeastChart = 10;
constexpr std::size_t kMostChart = 60;  // a column a second
constexpr std::size_t kLongestName = 40;

double real_in(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  boost::system::error_code error;
  return value == nullptr ? 0.0 : value->to_number<double>(error);
}

const json::object& object_in(const json::object& object, std::string_view name) {
  static const json::object nothing;
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : nothing;
}

std::vector<double> reals_in(const json::object& object, std::string_view name) {
  std::vector<double> values;
  for (const auto& item : array_in(object, name)) {
    boost::system::error_code error;
    values.push_back(item.to_number<double>(error));
  }
  return values;
}

std::string count_in(const json::object& object, std::string_view name) {
  return count_text(real_in(object, name));
}

std::string bytes_in(const json::object& object, std::string_view name) {
  const auto bytes = static_cast<std::uint64_t>(std::max(0.0, real_in(object, name)));
  return bytes == 0 ? "-" : size_text(bytes);
}

std::string cut(std::string text, std::size_t width) {
  if (count_characters(text) <= width) return text;
  if (width <= 2) return std::string(width, '.');
  std::string kept;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++taken > width - 2) break;
    kept += text[i];
  }
  return kept + "..";
}

// A table whose columns have a rank: the last to go has the highest.
struct Column {
  std::string title;
  int rank = 0;
  bool right = true;
  std::vector<std::string> cells;
  [[nodiscard]] std::size_t width() const {
    auto widest = count_characters(title);
    for (const auto& cell : cells) widest = std::max(widest, count_characters(cell));
    return widest;
  }
};

std::size_t width_of(const std::vector<Column>& columns) {
  return std::accumulate(columns.begin(), columns.end(), std::size_t{0},
                         [](std::size_t sum, const Column& column) {
                           return sum + column.width() + (sum == 0 ? 0 : 2);
                         });
}

void drop_until_it_fits(std::vector<Column>& columns, std::size_t width) {
  while (columns.size() > 1 && width_of(columns) > width) {
    const auto least = std::ranges::min_element(columns, {}, &Column::rank);
    columns.erase(least);
  }
}

std::vector<std::string> lines_of(const std::vector<Column>& columns, std::size_t width) {
  const auto rows = columns.empty() ? 0 : columns.front().cells.size();
  std::vector<std::string> lines(rows + 1);
  for (const auto& column : columns) {
    const auto size = column.width();
    for (std::size_t row = 0; row <= rows; ++row) {
      const auto& text = row == 0 ? column.title : column.cells[row - 1];
      auto& line = lines[row];
      if (&column != &columns.front()) line += "  ";
      const std::string room(size - count_characters(text), ' ');
      line += column.right ? room + text : text + room;
    }
  }
  for (auto& line : lines) {
    while (line.ends_with(' ')) line.pop_back();
    line = cut(std::move(line), width);
  }
  return lines;
}

// --- the server

std::string instances_text(const json::object& object) {
  const auto& instances = object_in(object, "instances");
  std::string text;
  for (const char* state : {"busy", "idle", "frozen", "starting", "ending"}) {
    const auto count = real_in(instances, state);
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count_text(count), state);
  }
  return text.empty() ? "none" : text;
}

std::vector<std::string> server_lines(const json::object& stats, const Canvas& canvas) {
  const auto& server = object_in(stats, "server");
  const auto& minute = object_in(server, "lastMinute");
  std::vector<std::string> lines;
  lines.push_back(fmt::format("up {}   instances: {}   memory {}   lambdad {}",
                              span_text(real_in(stats, "uptime")), instances_text(server),
                              bytes_in(server, "memory"), bytes_in(server, "residentMemory")));
  lines.push_back(fmt::format("calls {}   errors {}   throttled {}   cold {}   queued {}   dead {}",
                              count_in(server, "invocations"), count_in(server, "errorCount"),
                              count_in(server, "throttleCount"), count_in(server, "coldStarts"),
                              count_in(object_in(server, "queue"), "waiting"),
                              count_in(object_in(server, "queue"), "dead")));
  const auto begin =
      fmt::format("last minute {:.1f}/s   p50 {}   p99 {}", real_in(minute, "perSecond"),
                  time_text(real_in(minute, "p50")), time_text(real_in(minute, "p99")));
  const auto used = count_characters(begin) + 3;
  std::string bars;
  if (canvas.width >= used + kLeastChart) {
    bars = chart(reals_in(object_in(server, "seconds"), "invocations"),
                 std::min(kMostChart, canvas.width - used), 1, canvas.glyphs)[0];
  }
  lines.push_back(begin + "   " + bars);
  for (auto& line : lines) {
    while (line.ends_with(' ')) line.pop_back();
    line = cut(std::move(line), canvas.width);
  }
  return lines;
}

// --- its functions

std::vector<const json::object*> busiest_first(const json::array& functions) {
  std::vector<const json::object*> sorted;
  for (const auto& function : functions) {
    if (function.is_object()) sorted.push_back(&function.get_object());
  }
  const auto busy = [](const json::object* function) {
    return std::pair(real_in(object_in(*function, "lastMinute"), "invocations"),
                     real_in(*function, "invocations"));
  };
  std::ranges::sort(sorted, [&busy](const json::object* left, const json::object* right) {
    const auto of_left = busy(left), of_right = busy(right);
    return of_left != of_right ? of_left > of_right
                               : text_in(*left, "name") < text_in(*right, "name");
  });
  return sorted;
}

// Of late where there was a call, else since ever.
double quantile_in(const json::object& function, std::string_view name) {
  const auto& window = object_in(function, "lastFiveMinutes");
  const auto& of = real_in(window, "invocations") > 0 ? window : object_in(function, "duration");
  return real_in(of, name);
}

// Of the answers at its URL, by whomever.
double server_errors_in(const json::object& function) {
  double count = 0;
  const auto& codes = object_in(function, "httpCodes");
  for (const auto& code : codes) {
    if (code.key().starts_with('5')) count += real_in(codes, code.key());
  }
  return count;
}

std::vector<Column> columns_of(const std::vector<const json::object*>& functions) {
  std::vector<Column> columns = {
      {"FUNCTION", 100, false, {}}, {"CALLS", 90, true, {}}, {"ERRORS", 80, true, {}},
      {"THROTTLED", 20, true, {}},  {"COLD", 30, true, {}},  {"/S", 70, true, {}},
      {"P50", 60, true, {}},        {"P90", 25, true, {}},   {"P99", 50, true, {}},
      {"BUSY", 40, true, {}},       {"IDLE", 35, true, {}},  {"MEMORY", 38, true, {}},
      {"5XX", 22, true, {}},        {"QUEUED", 10, true, {}}};
  for (const auto* function : functions) {
    const auto& instances = object_in(*function, "instances");
    const std::vector<std::string> cells = {
        text_in(*function, "name"),
        count_in(*function, "invocations"),
        count_in(*function, "errorCount"),
        count_in(*function, "throttleCount"),
        count_in(*function, "coldStarts"),
        fmt::format("{:.1f}", real_in(object_in(*function, "lastMinute"), "perSecond")),
        time_text(quantile_in(*function, "p50")),
        time_text(quantile_in(*function, "p90")),
        time_text(quantile_in(*function, "p99")),
        count_in(instances, "busy"),
        count_text(real_in(instances, "idle") + real_in(instances, "frozen")),
        bytes_in(*function, "memory"),
        count_text(server_errors_in(*function)),
        count_in(object_in(*function, "queue"), "waiting")};
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].cells.push_back(cells[i]);
  }
  return columns;
}

void add_charts(std::vector<Column>& columns, const std::vector<const json::object*>& functions,
                const Canvas& canvas) {
  const auto used = width_of(columns) + 2;
  if (used + kLeastChart > canvas.width) return;
  const auto room = std::min(kMostChart, canvas.width - used);
  Column charts{"LAST MINUTE", 0, false, {}};
  for (const auto* function : functions) {
    const auto values = reals_in(object_in(*function, "seconds"), "invocations");
    charts.cells.push_back(chart(values, room, 1, canvas.glyphs)[0]);
  }
  columns.push_back(std::move(charts));
}

// --- one function

std::string by_name(const json::object& counts) {
  std::string text;
  for (const auto& item : counts) {
    boost::system::error_code error;
    const auto count = item.value().to_number<double>(error);
    text += fmt::format("{}{} {}", text.empty() ? " (" : ", ", count_text(count),
                        std::string_view(item.key()));
  }
  return text.empty() ? text : text + ")";
}

// "HTTP   200: 12   404: 1"; "" where nobody asked at its URL.
std::string answers_text(const json::object& codes) {
  std::string text;
  for (const auto& code : codes) {
    const auto count = count_in(codes, code.key());
    const auto name = std::string_view(code.key()) == "0" ? "no answer" : std::string(code.key());
    text += fmt::format("   {}: {}", name, count);
  }
  return text.empty() ? text : "HTTP" + text;
}

std::vector<std::string> windows_table(const json::object& stats, std::size_t width) {
  std::vector<Column> columns = {
      {"", 100, false, {}},     {"CALLS", 90, true, {}},     {"/S", 70, true, {}},
      {"ERRORS", 80, true, {}}, {"THROTTLED", 30, true, {}}, {"COLD", 40, true, {}},
      {"P50", 60, true, {}},    {"P90", 45, true, {}},       {"P99", 50, true, {}}};
  const auto add = [&columns](const char* name, const json::object& of, const json::object& times,
                              std::string rate, const char* errors, const char* throttles) {
    const std::vector<std::string> cells = {name,
                                            count_in(of, "invocations"),
                                            std::move(rate),
                                            count_in(of, errors),
                                            count_in(of, throttles),
                                            count_in(of, "coldStarts"),
                                            time_text(real_in(times, "p50")),
                                            time_text(real_in(times, "p90")),
                                            time_text(real_in(times, "p99"))};
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].cells.push_back(cells[i]);
  };
  for (const auto& [name, member] :
       {std::pair("last minute", "lastMinute"), std::pair("last 5 minutes", "lastFiveMinutes"),
        std::pair("last hour", "lastHour")}) {
    const auto& window = object_in(stats, member);
    add(name, window, window, fmt::format("{:.1f}", real_in(window, "perSecond")), "errors",
        "throttles");
  }
  add("since ever", stats, object_in(stats, "duration"), "", "errorCount", "throttleCount");
  drop_until_it_fits(columns, width);
  return lines_of(columns, width);
}

void add_chart(std::vector<std::string>& lines, std::string title,
               const std::vector<double>& values, std::string most, std::size_t rows,
               const Canvas& canvas) {
  lines.emplace_back();
  lines.push_back(cut(fmt::format("{} (at most {})", title, most), canvas.width));
  for (auto& line : chart(values, std::min(kMostChart, canvas.width), rows, canvas.glyphs)) {
    while (line.ends_with(' ')) line.pop_back();
    lines.push_back(std::move(line));
  }
}

double most_of(const std::vector<double>& values) {
  return values.empty() ? 0.0 : *std::ranges::max_element(values);
}

std::vector<Column> version_columns(const json::object& stats) {
  std::vector<Column> columns = {{"VERSION", 100, false, {}},   {"CALLS", 90, true, {}},
                                 {"ERRORS", 80, true, {}},      {"THROTTLED", 20, true, {}},
                                 {"COLD", 40, true, {}},        {"P50", 60, true, {}},
                                 {"P90", 45, true, {}},         {"P99", 50, true, {}},
                                 {"MOST MEMORY", 30, true, {}}, {"INSTANCES", 35, false, {}}};
  for (const auto& item : array_in(stats, "versions")) {
    if (!item.is_object()) continue;
    const auto& version = item.get_object();
    const auto& times = object_in(version, "duration");
    const std::vector<std::string> cells = {
        text_in(version, "version"),      count_in(version, "invocations"),
        count_in(version, "errorCount"),  count_in(version, "throttleCount"),
        count_in(version, "coldStarts"),  time_text(real_in(times, "p50")),
        time_text(real_in(times, "p90")), time_text(real_in(times, "p99")),
        bytes_in(version, "memoryPeak"),  instances_text(version)};
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].cells.push_back(cells[i]);
  }
  return columns;
}

std::vector<std::string> versions_table(const json::object& stats, std::size_t width) {
  auto columns = version_columns(stats);
  if (columns.front().cells.empty()) return {};
  drop_until_it_fits(columns, width);
  return lines_of(columns, width);
}

void keep_to_height(std::vector<std::string>& lines, std::size_t height, std::string_view what) {
  if (height == 0 || lines.size() <= height) return;
  const auto left_out = lines.size() - height + 1;
  lines.resize(height - 1);
  lines.push_back(fmt::format("({} more {})", left_out, what));
}

}  // namespace

std::string time_text(double ms) {
  if (ms <= 0) return "-";
  if (ms < 10) return fmt::format("{:.2f} ms", ms);
  if (ms < 1'000) return fmt::format("{:.0f} ms", ms);
  if (ms < 120'000) return fmt::format("{:.2f} s", ms / 1'000);
  return fmt::format("{:.1f} min", ms / 60'000);
}

std::string count_text(double count) {
  if (count < 100'000) return fmt::format("{:.0f}", count);
  if (count < 1e6) return fmt::format("{:.0f}k", count / 1e3);
  if (count < 1e9) return fmt::format("{:.1f}M", count / 1e6);
  return fmt::format("{:.1f}G", count / 1e9);
}

std::string span_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7'200) return fmt::format("{:.0f} min", std::floor(seconds / 60));
  if (seconds < 172'800) return fmt::format("{:.0f} h", std::floor(seconds / 3'600));
  return fmt::format("{:.0f} days", std::floor(seconds / 86'400));
}

std::vector<std::string> stats_text(const json::object& stats, const Canvas& canvas) {
  auto lines = server_lines(stats, canvas);
  const auto functions = busiest_first(array_in(stats, "functions"));
  if (functions.empty()) return lines;
  auto columns = columns_of(functions);
  for (auto& name : columns.front().cells) name = cut(name, kLongestName);
  // The charts before the last columns.
  const auto for_charts = kLeastChart + 2;
  drop_until_it_fits(columns, canvas.width > 60 ? canvas.width - for_charts : canvas.width);
  add_charts(columns, functions, canvas);
  lines.emplace_back();
  auto table = lines_of(columns, canvas.width);
  lines.insert(lines.end(), table.begin(), table.end());
  keep_to_height(lines, canvas.height, "functions");
  return lines;
}

Table stats_listing(const json::object& stats) {
  const auto columns = stats.contains("functions")
                           ? columns_of(busiest_first(array_in(stats, "functions")))
                           : version_columns(stats);
  std::vector<std::string> header;
  for (const auto& column : columns) header.push_back(column.title);
  Table table(std::move(header));
  for (std::size_t row = 0; row < columns.front().cells.size(); ++row) {
    std::vector<std::string> cells;
    for (const auto& column : columns) cells.push_back(column.cells[row]);
    table.add(std::move(cells));
  }
  return table;
}

std::vector<std::string> function_stats_text(const json::object& stats, const Canvas& canvas) {
  std::vector<std::string> lines;
  const auto& init = object_in(stats, "init");
  lines.push_back(fmt::format("{}   calls {}   errors {}{}   throttled {}{}",
                              text_in(stats, "name"), count_in(stats, "invocations"),
                              count_in(stats, "errorCount"), by_name(object_in(stats, "errors")),
                              count_in(stats, "throttleCount"),
                              by_name(object_in(stats, "throttles"))));
  lines.push_back(fmt::format("cold {}   init p50 {}   p99 {}", count_in(stats, "coldStarts"),
                              time_text(real_in(init, "p50")), time_text(real_in(init, "p99"))));
  lines.push_back(fmt::format("instances: {}   in flight {}   waiting {}   memory {} (most {})",
                              instances_text(stats), count_in(stats, "inFlight"),
                              count_in(stats, "waiting"), bytes_in(stats, "memory"),
                              bytes_in(stats, "memoryPeak")));
  if (auto answers = answers_text(object_in(stats, "httpCodes")); !answers.empty())
    lines.push_back(std::move(answers));
  const auto& queue = object_in(stats, "queue");
  lines.push_back(fmt::format("queue: {} waiting, {} running, {} dead", count_in(queue, "waiting"),
                              count_in(queue, "running"), count_in(queue, "dead")));
  for (auto& line : lines) line = cut(std::move(line), canvas.width);
  const auto append = [&lines](const std::vector<std::string>& more) {
    if (more.empty()) return;
    lines.emplace_back();
    lines.insert(lines.end(), more.begin(), more.end());
  };
  append(windows_table(stats, canvas.width));
  const auto seconds = reals_in(object_in(stats, "seconds"), "invocations");
  add_chart(lines, "calls a second, the last minute", seconds, count_text(most_of(seconds)), 2,
            canvas);
  const auto& minutes = object_in(stats, "minutes");
  const auto calls = reals_in(minutes, "invocations");
  add_chart(lines, "calls a minute, the last hour", calls, count_text(most_of(calls)), 2, canvas);
  const auto errors = reals_in(minutes, "errors");
  if (most_of(errors) > 0)
    add_chart(lines, "errors a minute", errors, count_text(most_of(errors)), 1, canvas);
  const auto slow = reals_in(minutes, "p99");
  add_chart(lines, "p99 of each minute", slow, time_text(most_of(slow)), 1, canvas);
  append(versions_table(stats, canvas.width));
  keep_to_height(lines, canvas.height, "lines");
  return lines;
}

}  // namespace lambda::cli
