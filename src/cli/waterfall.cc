#include "cli/waterfall.h"

#include "base/encoding.h"
#include "cli/connection/json_fields.h"
#include "cli/output.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace lambda::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kNarrowest = 40;
constexpr std::size_t kWidest = 160;  // a longer bar says no more
constexpr std::size_t kLabel = 12;
constexpr std::size_t kTime = 11;
constexpr std::int64_t kSecond = 1'000'000;

// What happens while another step goes on is drawn below it.
bool is_part(std::string_view step) {
  constexpr std::array<std::string_view, 6> parts = {"stem",  "cgroup", "create",
                                                     "clone", "mount",  "launch"};
  return std::ranges::find(parts, step) != parts.end();
}

// From `begin` to `end` of `total`, on so many columns.
std::string bar(std::int64_t begin, std::int64_t end, std::int64_t total, std::size_t columns,
                Glyphs glyphs) {
  constexpr std::array<std::string_view, 8> eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto all = static_cast<std::int64_t>(columns) * 8;
  total = std::max<std::int64_t>(total, 1);
  const auto from = std::clamp<std::int64_t>(begin * all / total / 8, 0, all / 8 - 1);
  const auto to = std::clamp<std::int64_t>(end * all / total, from * 8 + 1, all);
  std::string text(static_cast<std::size_t>(from), ' ');
  const auto length = to - from * 8;
  if (glyphs == Glyphs::ascii) return text.append(static_cast<std::size_t>((length + 7) / 8), '#');
  for (std::int64_t i = 0; i < length / 8; ++i) text += "█";
  text += eighths.at(static_cast<std::size_t>(length % 8));
  return text;
}

std::string padded(std::string text, std::size_t width) {
  const auto has = count_characters(text);
  if (has < width) text.append(width - has, ' ');
  return text;
}

void add_step(std::string& out, const json::object& step, std::int64_t total,
              const Canvas& canvas) {
  const auto name = text_in(step, "step");
  const auto begin = number_in(step, "begin");
  const auto duration = number_in(step, "duration");
  const auto columns = canvas.width - kLabel - kTime - 4;
  out += padded((is_part(name) ? "    " : "  ") + name, kLabel + 2);
  out += padded(bar(begin, begin + duration, total, columns, canvas.glyphs), columns);
  out += fmt::format(" {:>{}}", duration_text(duration), kTime);
  out += '\n';
  if (begin < 0)
    out +=
        fmt::format("{:{}}(it began {} before the call)\n", "", kLabel + 2, duration_text(-begin));
}

std::string outcome_text(const json::object& call) {
  const auto end = text_in(call, "end");
  const auto type = text_in(call, "errorType");
  auto text = end == "success" ? "success" : type.empty() ? end : end + ": " + type;
  if (const auto status = number_in(call, "status"); status != 0)
    text += fmt::format(", HTTP {}", status);
  return text;
}

// What is known beside the time, in lines that fit.
std::string facts(const json::object& call, std::size_t width) {
  std::vector<std::string> all = {"source " + text_in(call, "source")};
  const auto add = [&all](std::string_view what, std::string text) {
    if (!text.empty()) all.push_back(fmt::format("{} {}", what, text));
  };
  add("instance", text_in(call, "instance"));
  if (flag_in(call, "cold")) all.emplace_back("its first call");
  if (const auto peak = number_in(call, "memoryPeak"); peak > 0)
    add("memory", size_text(static_cast<std::uint64_t>(peak)));
  add("in", size_text(static_cast<std::uint64_t>(number_in(call, "payloadBytes"))));
  add("out", size_text(static_cast<std::uint64_t>(number_in(call, "responseBytes"))));
  add("trace", text_in(call, "traceId"));
  std::string text;
  std::string line = " ";
  for (const auto& fact : all) {
    if (line.size() > 1 && line.size() + fact.size() + 2 > width) {
      text += line + "\n";
      line = " ";
    }
    line += (line.size() > 1 ? ", " : " ") + fact;
  }
  return text + line + "\n";
}

void add_call(std::string& out, const json::object& call, bool several, const Canvas& canvas) {
  const auto total = number_in(call, "duration");
  out += fmt::format(
      "{}{}  {}  {}\n", several ? fmt::format("attempt {}  ", number_in(call, "attempt")) : "",
      text_in(call, "time"), duration_text(total), escape_controls(outcome_text(call)));
  out += facts(call, canvas.width);
  if (const auto reason = text_in(call, "reason"); !reason.empty())
    out += "  " + escape_controls(reason) + "\n";
  out += '\n';
  for (const auto& step : array_in(call, "steps")) add_step(out, step.as_object(), total, canvas);
  const auto columns = canvas.width - kLabel - kTime - 4;
  out += padded("  in all", kLabel + 2);
  out += padded(bar(0, total, total, columns, canvas.glyphs), columns);
  out += fmt::format(" {:>{}}\n", duration_text(total), kTime);
}

// Of "2026-01-02T03:04:05.678Z".
std::int64_t microseconds_of(std::string_view iso) {
  const auto point = iso.find('.');
  const auto milliseconds = point == std::string_view::npos
                                ? 0
                                : std::atoi(std::string(iso.substr(point + 1, 3)).c_str());
  return seconds_of(iso) * kSecond + milliseconds * 1000;
}

// How long an event was in the queue before what is drawn first; "" for other calls.
std::string accepted_text(const json::object& call) {
  const auto accepted = text_in(call, "accepted");
  if (accepted.empty()) return {};
  const auto waited = microseconds_of(text_in(call, "time")) - microseconds_of(accepted);
  return fmt::format("accepted {}, {} before attempt {}\n", accepted,
                     duration_text(std::max<std::int64_t>(0, waited)), number_in(call, "attempt"));
}

}  // namespace

Canvas waterfall_canvas(int descriptor) {
  constexpr std::size_t kPage = 80;
  auto canvas = canvas_of(descriptor, kPage);
  canvas.width = std::clamp(canvas.width, kNarrowest, kWidest);
  if (!is_terminal(descriptor)) canvas.glyphs = Glyphs::ascii;
  return canvas;
}

std::string duration_text(std::int64_t microseconds) {
  const auto ms = static_cast<double>(microseconds) / 1000.0;
  if (microseconds < 1000) return fmt::format("{:.2f} ms", ms);
  if (microseconds < kSecond) return fmt::format("{:.1f} ms", ms);
  if (microseconds < 60 * kSecond) return fmt::format("{:.2f} s", ms / 1000.0);
  const auto seconds = microseconds / kSecond;
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

std::string waterfall(const json::array& calls, const Canvas& canvas) {
  if (calls.empty()) return {};
  const auto& first = calls.front().as_object();
  const auto qualifier = text_in(first, "qualifier");
  auto out = fmt::format("{}{}{}  version {}\nrequest {}\n{}\n", text_in(first, "function"),
                         qualifier.empty() ? "" : ":", qualifier, text_in(first, "version"),
                         text_in(first, "requestId"), accepted_text(first));
  std::int64_t ended = 0;
  for (const auto& item : calls) {
    const auto& call = item.as_object();
    const auto begin = microseconds_of(text_in(call, "time"));
    if (ended != 0) {
      const auto wait = duration_text(std::max<std::int64_t>(0, begin - ended));
      out += fmt::format("\n  {} {} until the next attempt\n\n",
                         canvas.glyphs == Glyphs::blocks ? "⋮" : ":", wait);
    }
    add_call(out, call, calls.size() > 1 || number_in(call, "attempt") > 1, canvas);
    ended = begin + number_in(call, "duration");
  }
  return out;
}

std::string call_table(const json::array& calls) {
  Table table({"REQUEST", "TIME", "END", "TOTAL", ""});
  for (const auto& item : calls) {
    const auto& call = item.as_object();
    const auto time = text_in(call, "time");
    const auto status = number_in(call, "status");
    const auto end = text_in(call, "end");
    const bool has_answered = end == "success" || end == "handler_error";
    std::string notes = flag_in(call, "cold") ? "cold" : "";
    if (flag_in(call, "slow")) notes += notes.empty() ? "slow" : ", slow";
    table.add({text_in(call, "requestId"), time.substr(0, 19),
               status != 0 && has_answered ? fmt::format("HTTP {}", status) : end,
               duration_text(number_in(call, "duration")), notes});
  }
  return table.text();
}

}  // namespace lambda::cli
