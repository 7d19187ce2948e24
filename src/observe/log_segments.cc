#include "observe/log_segments.h"

#include "base/unique_fd.h"
#include "observe/log_json.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lambda::observe {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".jsonl";
constexpr std::string_view kAside = "shorter";  // what a file is about to be replaced by
constexpr std::size_t kMostPlaces = 1000;
constexpr std::size_t kPageBytes = 512 * 1024;
// Files are begun so often within the time that lines are kept: what is on disk is older by no more
// than that part.
constexpr int kFilesOfAge = 8;

// Function names are [a-zA-Z0-9-_]; anything else must not become a path.
bool is_file_name(std::string_view function) {
  return !function.empty() && function.size() <= 64 &&
         function.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
             std::string_view::npos;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::getline(file, line);
  return line;
}

std::optional<WallTime> changed(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return WallTime(
      std::chrono::milliseconds(facts.st_mtim.tv_sec * 1000L + facts.st_mtim.tv_nsec / 1'000'000));
}

void set_changed(int file, WallTime time) {
  const auto milliseconds = time.time_since_epoch().count();
  timespec stamp{};
  stamp.tv_sec = milliseconds / 1000;
  stamp.tv_nsec = milliseconds % 1000 * 1'000'000;
  const timespec times[2] = {stamp, stamp};
  // Without it lines stay somewhat longer.
  (void)::futimens(file, times);
}

bool ends_with_newline(const fs::path& path, std::size_t size) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(size) - 1);
  return in.get() == '\n';
}

std::uint64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

// Of a file that is larger than a file may be now, the newest lines that fit into `bytes`. Whoever
// reads it meanwhile has all of it. A disk that does not take them keeps what it has.
void keep_end(const fs::path& path, std::uint64_t bytes) {
  const auto newest = changed(path);
  const std::string all = read_file(path);
  const auto cut = all.size() <= bytes ? std::string::npos : all.find('\n', all.size() - bytes - 1);
  if (cut == std::string::npos || !newest) return;
  const auto end = std::string_view(all).substr(cut + 1);
  const auto aside = path.parent_path() / kAside;
  const UniqueFd out(::open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!out) return;
  if (::write(out.get(), end.data(), end.size()) == static_cast<ssize_t>(end.size())) {
    set_changed(out.get(), *newest);
    if (::rename(aside.c_str(), path.c_str()) == 0) return;
  }
  ::unlink(aside.c_str());
}

// Also where the directory of all logs is gone.
Result<Done> make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return Done{};
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return Done{};
  return fail(Error::from_errno(fmt::format("make {}", path.string()), error.value()));
}

// Whether a line that stands there may match, as far as its bytes tell: ids are plain ASCII.
bool may_match(std::string_view text, const LogFilter& filter) {
  return !filter.request_id || text.find(*filter.request_id) != std::string_view::npos;
}

bool matches(const LogLine& line, const LogFilter& filter) {
  LogOrigin origin;
  origin.version = line.version;
  origin.request_id = line.request_id;
  return filter.matches(origin, line.time, line.text);
}

}  // namespace

LogSegments::LogSegments(fs::path directory, const LogLimits& limits)
    : directory_(std::move(directory)), limits_(limits) {}

Result<std::set<std::string, std::less<>>> LogSegments::open() {
  std::error_code error;
  const bool made = fs::create_directories(directory_, error);
  if (!error && made) fs::permissions(directory_, fs::perms::owner_all, error);
  int problem = error ? error.value() : 0;
  if (problem == 0 && ::access(directory_.c_str(), R_OK | W_OK | X_OK) != 0) problem = errno;
  if (problem != 0 && problem != EROFS && problem != ENOSPC) {
    return fail(ErrorCode::denied,
                "cannot keep logs in {}: the user that runs this server (uid {}) must be able to "
                "write there",
                directory_.string(), ::geteuid());
  }
  std::set<std::string, std::less<>> functions;
  for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    auto name = entry->path().filename().string();
    if (is_file_name(name)) functions.insert(std::move(name));
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
    const auto path = file(function, place.number);
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (!error && size > 0) {
      place.bytes = size;
      place.torn = !ends_with_newline(path, size);
      if (const auto line = parse_kept(first_line(path), function)) place.began = line->time;
    }
  }
  return places_.emplace(function, place).first->second;
}

bool LogSegments::is_full(const Place& place, const LogLimits& limits, std::size_t more,
                          WallTime newest) {
  if (place.bytes == 0) return false;
  const bool old = limits.age.count() > 0 && newest - place.began > limits.age / kFilesOfAge;
  return old || place.bytes + more > limits.segment_bytes;
}

LogLimits LogSegments::limits_of(const std::string& function) const {
  const auto own = own_.find(function);
  return own == own_.end() ? limits_ : limits_.with(own->second);
}

void LogSegments::make_room(const std::string& function, std::uint64_t more) const {
  const auto most = limits_of(function).bytes();
  std::uint64_t left = most - std::min(most, more);
  const auto all = numbers(function);
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    const auto path = file(function, *number);
    const auto size = size_of(path);
    if (size > left) ::unlink(path.c_str());
    left = size > left ? 0 : left - size;
  }
}

Result<Done> LogSegments::write(const std::string& function, std::string_view lines,
                                WallTime newest) {
  if (!is_file_name(function)) {
    return fail(ErrorCode::invalid, "\"{}\" is no function name: its lines are not kept", function);
  }
  auto& place = this->place(function);
  const auto limits = limits_of(function);
  if (is_full(place, limits, lines.size(), newest)) {
    place = Place{place.number + 1, 0, {}, false};
    make_room(function, std::max(limits.segment_bytes, lines.size()));
  }
  const fs::path path = file(function, place.number);
  if (auto made = make_directory(path.parent_path()); !made) return made;
  const UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!out) return fail(Error::from_errno(fmt::format("open {}", path.string())));
  struct stat before {};
  if (::fstat(out.get(), &before) != 0)
    return fail(Error::from_errno(fmt::format("look at {}", path.string())));
  // What was half-written when the server was killed must not run into the next line.
  std::string mended;
  if (place.torn) lines = mended = fmt::format("\n{}", lines);
  const auto written = ::write(out.get(), lines.data(), lines.size());
  if (written == static_cast<ssize_t>(lines.size())) {
    if (place.bytes == 0) place.began = newest;
    place.bytes += lines.size();
    place.torn = false;
    set_changed(out.get(), newest);
    return Done{};
  }
  auto error =
      Error::from_errno(fmt::format("write {}", path.string()), written < 0 ? errno : ENOSPC);
  if (written > 0) (void)!::ftruncate(out.get(), before.st_size);
  return fail(std::move(error));
}

void LogSegments::remove(const std::string& function) {
  places_.erase(function);
  if (!is_file_name(function)) return;
  for (const auto number : numbers(function)) ::unlink(file(function, number).c_str());
  ::unlink((directory_ / function / kAside).c_str());
  // What somebody else put there stays.
  ::rmdir((directory_ / function).c_str());
}

void LogSegments::tidy(const std::string& function, WallTime now) {
  const auto limits = limits_of(function);
  const auto all = numbers(function);
  ::unlink((directory_ / function / kAside).c_str());
  std::uint64_t left = limits.bytes();
  bool changed_any = false;
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    const auto path = file(function, *number);
    const auto newest = changed(path);
    const auto size = size_of(path);
    const bool old = limits.age.count() > 0 && newest && now - *newest > limits.age;
    if (!old && size <= left) {
      left -= size;
      continue;
    }
    changed_any = true;
    if (!old && left > 0 && size > limits.segment_bytes) {
      keep_end(path, left);
    } else {
      ::unlink(path.c_str());
    }
    left = 0;
  }
  if (!changed_any) return;
  places_.erase(function);
  // Where that was all of it.
  ::rmdir((directory_ / function).c_str());
}

void LogSegments::tidy(WallTime now) {
  std::vector<std::string> functions;
  std::error_code error;
  for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    auto name = entry->path().filename().string();
    if (is_file_name(name)) functions.push_back(std::move(name));
  }
  for (const auto& function : functions) tidy(function, now);
}

void LogSegments::set_own_limits(OwnLogLimitsByFunction own, WallTime now) {
  const auto before = std::exchange(own_, std::move(own));
  const auto was = [&before](const std::string& function) {
    const auto found = before.find(function);
    return found == before.end() ? OwnLogLimits() : found->second;
  };
  for (const auto& [function, limits] : own_) {
    if (was(function) != limits && is_file_name(function)) tidy(function, now);
  }
  for (const auto& [function, limits] : before) {
    if (!own_.contains(function) && is_file_name(function)) tidy(function, now);
  }
}

LogSegments::Past LogSegments::read_before(const std::string& function, std::uint64_t before,
                                           const LogFilter& filter, std::size_t limit,
                                           std::optional<ReadingDeadline> deadline) const {
  Past past;
  if (!is_file_name(function)) return past;
  std::size_t bytes_left = kMostAnswerBytes;
  const auto all = numbers(function);
  for (auto number = all.rbegin(); number != all.rend(); ++number) {
    const auto path = file(function, *number);
    if (filter.since) {
      // It, and what is before it, is older.
      if (const auto newest = changed(path); newest && *newest < *filter.since) break;
    }
    const std::string bytes = read_file(path);
    std::string_view rest = bytes;
    while (!rest.empty()) {
      if (rest.ends_with('\n')) rest.remove_suffix(1);
      const auto end = rest.rfind('\n');
      const auto text = end == std::string_view::npos ? rest : rest.substr(end + 1);
      rest = rest.substr(0, end == std::string_view::npos ? 0 : end + 1);
      const auto id = id_of_kept(text);
      if (id >= before) continue;
      if (may_match(text, filter)) {
        auto line = parse_kept(text, function);
        if (line && matches(*line, filter)) {
          bytes_left -= std::min(bytes_left, text.size());
          past.lines.push_back(std::move(*line));
          if (past.lines.size() >= limit) return past;
        }
      }
      // A line of an earlier release has no id to go on with.
      if (id > 0 && (bytes_left == 0 || is_over(deadline))) {
        past.rest = id;
        return past;
      }
    }
  }
  return past;
}

LogSegments::Page LogSegments::read_after(const std::string& function, std::uint64_t after,
                                          const LogFilter& filter) const {
  Page page;
  if (!is_file_name(function)) return page;
  const auto all = numbers(function);
  // The newest file that begins at or before that line, or else the oldest.
  const auto begins_before = [&](std::uint64_t number) {
    return id_of_kept(first_line(file(function, number))) <= after;
  };
  const auto next = std::ranges::partition_point(all, begins_before) - all.begin();
  auto at = static_cast<std::size_t>(std::max<std::ptrdiff_t>(next - 1, 0));
  for (; filter.since && at + 1 < all.size(); ++at) {
    const auto newest = changed(file(function, all[at]));
    if (!newest || *newest >= *filter.since) break;
    page.first = after + 1;
  }
  std::size_t looked_at = 0;
  for (; at < all.size() && looked_at < kPageBytes; ++at) {
    const std::string bytes = read_file(file(function, all[at]));
    std::string_view rest = bytes;
    while (!rest.empty() && looked_at < kPageBytes) {
      const auto end = rest.find('\n');
      // A line that is just being written, or never was whole.
      if (end == std::string_view::npos) break;
      const auto text = rest.substr(0, end);
      rest.remove_prefix(end + 1);
      const auto id = id_of_kept(text);
      if (id <= after) continue;
      looked_at += text.size() + 1;
      if (page.first == 0) page.first = id;
      page.last = id;
      if (!may_match(text, filter)) continue;
      auto line = parse_kept(text, function);
      if (line && matches(*line, filter)) page.lines.push_back(std::move(*line));
    }
  }
  return page;
}

}  // namespace lambda::observe
