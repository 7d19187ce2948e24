#include "observe/log_segments.h"

#include "base/unique_fd.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

namespace lambda::observe {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kSuffix = ".jsonl";
constexpr std::size_t kMostPlaces = 1000;

// Function names are [a-zA-Z0-9-_]; anything else must not become a path.
bool is_file_name(std::string_view function) {
  return !function.empty() && function.size() <= 64 &&
         function.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
             std::string_view::npos;
}

bool parse_line(std::string_view text, std::string_view function, LogLine& line) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return false;
  const auto& object = value.as_object();
  auto read = [&object](std::string_view name, std::string& into) {
    if (const auto* found = object.if_contains(name); found != nullptr && found->is_string()) {
      into = found->as_string();
    }
  };
  const auto* time = object.if_contains("time");
  if (time == nullptr || !time->is_int64()) return false;
  line.time = WallTime(std::chrono::milliseconds(time->as_int64()));
  line.function = function;
  read("version", line.version);
  read("instance", line.instance);
  read("requestId", line.request_id);
  read("text", line.text);
  return true;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string to_json_line(const LogLine& line) {
  json::object object;
  object["time"] = line.time.time_since_epoch().count();
  object["version"] = line.version;
  object["instance"] = line.instance;
  object["requestId"] = line.request_id;
  object["text"] = line.text;
  return json::serialize(object);
}

LogSegments::LogSegments(fs::path directory, const LogLimits& limits)
    : directory_(std::move(directory)), limits_(limits) {}

Result<std::set<std::string, std::less<>>> LogSegments::open() {
  std::error_code error;
  const bool made = fs::create_directories(directory_, error);
  if (!error && made) fs::permissions(directory_, fs::perms::owner_all, error);
  if (error || ::access(directory_.c_str(), R_OK | W_OK | X_OK) != 0) {
    return fail(ErrorCode::denied,
                "cannot keep logs in {}: the user that runs this server (uid {}) must be able to "
                "write there",
                directory_.string(), ::geteuid());
  }
  std::set<std::string, std::less<>> functions;
  for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    functions.insert(entry->path().filename().string());
  }
  return functions;
}

std::vector<std::uint64_t> LogSegments::numbers(const std::string& function) const {
  std::vector<std::uint64_t> all;
  std::error_code error;
  for (fs::directory_iterator entry(directory_ / function, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    std::uint64_t number = 0;
    const char* last = name.data() + name.size() - kSuffix.size();
    const auto [stop, bad] = std::from_chars(name.data(), last, number);
    if (bad == std::errc() && stop == last) all.push_back(number);
  }
  std::ranges::sort(all);
  return all;
}

fs::path LogSegments::file(const std::string& function, std::uint64_t number) const {
  return directory_ / function / fmt::format("{:08}{}", number, kSuffix);
}

LogSegments::Place& LogSegments::place(const std::string& function) {
  if (const auto found = places_.find(function); found != places_.end()) return found->second;
  if (places_.size() >= kMostPlaces) places_.clear();
  Place place;
  if (const auto all = numbers(function); !all.empty()) {
    place.number = all.back();
    std::error_code error;
    const auto size = fs::file_size(file(function, place.number), error);
    if (!error) place.bytes = size;
  }
  return places_.emplace(function, place).first->second;
}

Result<Done> LogSegments::write(const std::string& function, std::string_view lines) {
  if (!is_file_name(function)) {
    return fail(ErrorCode::invalid, "\"{}\" is no function name: its lines are not kept", function);
  }
  auto& place = this->place(function);
  if (place.bytes > 0 && place.bytes + lines.size() > limits_.segment_bytes) {
    ++place.number;
    place.bytes = 0;
    const auto all = numbers(function);
    for (std::size_t i = 0; i + limits_.segments <= all.size(); ++i) {
      ::unlink(file(function, all[i]).c_str());
    }
  }
  const fs::path path = file(function, place.number);
  ::mkdir(path.parent_path().c_str(), 0700);
  const UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!out) return fail(Error::from_errno(fmt::format("open {}", path.string())));
  const auto written = ::write(out.get(), lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size())) {
    place.bytes += lines.size();
    return Done{};
  }
  auto error =
      Error::from_errno(fmt::format("write {}", path.string()), written < 0 ? errno : ENOSPC);
  // What was half-written must not run into the next line.
  if (written > 0) (void)!::ftruncate(out.get(), static_cast<off_t>(place.bytes));
  return fail(std::move(error));
}

void LogSegments::remove(const std::string& function) {
  places_.erase(function);
  if (!is_file_name(function)) return;
  std::error_code error;
  fs::remove_all(directory_ / function, error);
}

std::vector<LogLine> LogSegments::read(const LogStore::Query& query) const {
  std::vector<LogLine> newest_first;
  if (!is_file_name(query.function)) return newest_first;
  const auto all = numbers(query.function);
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    const std::string bytes = read_file(file(query.function, *number));
    std::string_view rest = bytes;
    while (!rest.empty() && newest_first.size() < query.limit) {
      if (rest.ends_with('\n')) rest.remove_suffix(1);
      const auto before = rest.rfind('\n');
      const auto text = before == std::string_view::npos ? rest : rest.substr(before + 1);
      rest = rest.substr(0, before == std::string_view::npos ? 0 : before + 1);
      // Ids are plain ASCII, so a line about another request need not be parsed.
      if (query.request_id && text.find(*query.request_id) == std::string_view::npos) continue;
      LogLine line;
      if (!parse_line(text, query.function, line)) continue;
      if (query.request_id && line.request_id != *query.request_id) continue;
      if (query.version && line.version != *query.version) continue;
      newest_first.push_back(std::move(line));
    }
    if (newest_first.size() >= query.limit) break;
  }
  std::ranges::reverse(newest_first);
  return newest_first;
}

}  // namespace lambda::observe
