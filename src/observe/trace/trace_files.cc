#include "observe/trace/trace_files.h"

#include "base/unique_fd.h"

#include <algorithm>
#include <charconv>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>
#include <utility>

namespace lambda::observe {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::string_view kSuffix = ".jsonl";

std::string read_file(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  std::string text(error ? 0 : size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// The lines of one file, newest first.
void read_lines(std::string_view text, std::string_view mark, std::size_t limit,
                const std::function<bool(const json::object&)>& wanted,
                std::vector<json::object>& found) {
  while (!text.empty() && found.size() < limit) {
    const auto hit = text.rfind(mark);
    if (hit == std::string_view::npos) return;
    const auto before = text.substr(0, hit).rfind('\n');
    const auto begin = before == std::string_view::npos ? 0 : before + 1;
    const auto line = text.substr(begin, text.find('\n', hit) - begin);
    text = text.substr(0, begin);
    boost::system::error_code error;
    auto value = json::parse(line, error);
    if (error || !value.is_object() || !wanted(value.as_object())) continue;
    found.push_back(std::move(value.as_object()));
  }
}

}  // namespace

TraceFiles::TraceFiles(fs::path directory, TraceFileLimits limits)
    : directory_(std::move(directory)), limits_(limits) {
  // So that the one that goes for a new one is a small part of all.
  limits_.file_bytes = std::min(limits_.file_bytes, limits_.all_bytes / 4);
}

Result<TraceFiles> TraceFiles::open(fs::path directory, TraceFileLimits limits) {
  std::error_code error;
  const bool made = fs::create_directories(directory, error);
  if (!error && made) fs::permissions(directory, fs::perms::owner_all, error);
  if (error || ::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) {
    return fail(ErrorCode::denied,
                "cannot keep traces in {}: the user that runs this server (uid {}) must be able to "
                "write there",
                directory.string(), ::getuid());
  }
  TraceFiles files(std::move(directory), limits);
  const auto there = files.numbers();
  files.current_ = there.empty() ? 1 : there.back() + 1;
  return files;
}

fs::path TraceFiles::path_of(std::uint64_t number) const {
  return directory_ / fmt::format("{:010}{}", number, kSuffix);
}

std::vector<std::uint64_t> TraceFiles::numbers() const {
  std::vector<std::uint64_t> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    const auto name = entry->path().filename().string();
    std::uint64_t number = 0;
    const auto [rest, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (wrong == std::errc() && rest == name.data() + name.size() - kSuffix.size() &&
        name.ends_with(kSuffix))
      found.push_back(number);
  }
  std::ranges::sort(found);
  return found;
}

void TraceFiles::remove(std::uint64_t number) {
  std::error_code error;
  fs::remove(path_of(number), error);
  if (number != current_) return;
  ++current_;
  written_ = 0;
}

// For a file that begins.
void TraceFiles::make_room(std::uint64_t bytes) {
  const auto most = limits_.all_bytes - std::min(limits_.all_bytes, bytes);
  std::uint64_t kept = 0;
  auto all = numbers();
  std::ranges::reverse(all);
  for (const auto number : all) {
    std::error_code error;
    const auto size = fs::file_size(path_of(number), error);
    if (error) continue;
    kept += size;
    if (kept > most) remove(number);
  }
}

Result<Done> TraceFiles::write(std::string_view lines) {
  if (written_ > 0 && written_ + lines.size() > limits_.file_bytes) {
    ++current_;
    written_ = 0;
  }
  if (written_ == 0) make_room(std::max<std::uint64_t>(limits_.file_bytes, lines.size()));
  const auto path = path_of(current_);
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file) return fail(Error::from_errno("open " + path.string()));
  while (!lines.empty()) {
    const auto count = ::write(file.get(), lines.data(), lines.size());
    if (count < 0) {
      auto error = Error::from_errno("write " + path.string());
      // What comes next begins a file of its own: half a line harms no other.
      ++current_;
      written_ = 0;
      return fail(std::move(error));
    }
    written_ += static_cast<std::uint64_t>(count);
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
  return Done{};
}

void TraceFiles::sweep(WallTime now) {
  std::uint64_t kept = 0;
  auto all = numbers();
  std::ranges::reverse(all);
  for (const auto number : all) {
    const auto path = path_of(number);
    std::error_code error;
    const auto size = fs::file_size(path, error);
    if (error) continue;
    const auto changed = fs::last_write_time(path, error);
    const auto at = std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::file_clock::to_sys(changed));
    const bool old = !error && now - at > limits_.age;
    kept += size;
    if (old || kept > limits_.all_bytes) remove(number);
  }
}

std::vector<json::object> TraceFiles::read(
    std::string_view mark, std::size_t limit,
    const std::function<bool(const json::object&)>& wanted) const {
  std::vector<json::object> found;
  auto all = numbers();
  std::ranges::reverse(all);
  for (const auto number : all) {
    if (found.size() >= limit) break;
    const auto text = read_file(path_of(number));
    // What is being written has no end yet.
    const auto whole = std::string_view(text).substr(0, text.rfind('\n') + 1);
    read_lines(whole, mark, limit, wanted, found);
  }
  return found;
}

}  // namespace lambda::observe
