#include "sandbox/native/cgroup_files.h"

#include "base/unique_fd.h"

#include <charconv>
#include <fcntl.h>
#include <unistd.h>

namespace lambda::sandbox::native {

Result<Done> write_file_at(int directory, const std::string& path, std::string_view text) {
  const UniqueFd fd(::openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail(Error::from_errno("open " + path));
  if (::write(fd.get(), text.data(), text.size()) < 0)
    return fail(Error::from_errno("write \"" + std::string(text) + "\" to " + path));
  return Done{};
}

Result<std::string> read_again(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t count = ::pread(fd, buffer, sizeof(buffer), static_cast<off_t>(text.size()));
    if (count < 0) return fail(Error::from_errno("read a control file"));
    if (count == 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

Result<std::string> read_file_at(int directory, const std::string& path) {
  const UniqueFd fd(::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(Error::from_errno("open " + path));
  auto text = read_again(fd.get());
  if (!text) return fail(std::move(text.error()), "{}", path);
  return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return parse_number(line.substr(key.size() + 1));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

bool has_word(std::string_view list, std::string_view word, char separator) {
  while (!list.empty()) {
    const auto end = list.find_first_of(separator == ' ' ? std::string_view(" \n")
                                                         : std::string_view(&separator, 1));
    if (list.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    list.remove_prefix(end + 1);
  }
  return false;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    if (end != 0) parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

}  // namespace lambda::sandbox::native
