#include "cli/connection/settings_file.h"

#include "base/nearest_word.h"
#include "base/unique_fd.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <pwd.h>
#include <sstream>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::cli {

namespace fs = std::filesystem;

namespace {

Result<std::string> text_at(const toml::table& table, const char* name, const fs::path& file) {
  const auto* node = table.get(name);
  if (node == nullptr) return std::string();
  if (!node->is_string()) {
    return fail(ErrorCode::invalid, "{} line {}: {} must be a text in quotes", file.string(),
                node->source().begin.line, name);
  }
  return node->as_string()->get();
}

Result<Context> context_of(const toml::table& table, const fs::path& file) {
  auto host = text_at(table, "host", file);
  if (!host) return fail(std::move(host.error()));
  auto key = text_at(table, "key", file);
  if (!key) return fail(std::move(key.error()));
  return Context{std::move(*host), std::move(*key)};
}

// Nothing where there is no such file. Error: denied.
Result<std::optional<std::string>> file_text(const fs::path& path) {
  const auto failed = [&path](int number) {
    return fail(ErrorCode::denied, "the settings cannot be read: {}: {}", path.string(),
                std::strerror(number));
  };
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int number = errno;
  if (!file && (number == ENOENT || number == ENOTDIR)) return std::optional<std::string>();
  if (!file) return failed(number);
  std::string text;
  std::array<char, 4096> piece{};
  ssize_t length = 0;
  while ((length = ::read(file.get(), piece.data(), piece.size())) > 0)
    text.append(piece.data(), static_cast<std::size_t>(length));
  if (length < 0) return failed(errno);
  return std::optional(std::move(text));
}

Result<toml::table> table_of(const std::string& text, const fs::path& path) {
  try {
    return toml::parse(text, path.string());
  } catch (const toml::parse_error& problem) {
    return fail(ErrorCode::invalid, "{} line {}: {}", path.string(), problem.source().begin.line,
                problem.description());
  }
}

// What is there now, to be changed: what this version does not know stays in it.
Result<toml::table> table_at(const fs::path& path) {
  auto text = file_text(path);
  if (!text) return fail(std::move(text.error()));
  if (!*text) return toml::table();
  return table_of(**text, path);
}

void set_text(toml::table& table, const char* name, const std::string& text) {
  if (text.empty()) {
    table.erase(name);
  } else {
    table.insert_or_assign(name, text);
  }
}

void set_contexts(toml::table& table, const SettingsFile& settings) {
  for (const char* before_there_were_contexts : {"host", "key"})
    table.erase(before_there_were_contexts);
  table.insert_or_assign("context", settings.current);
  const auto* before = table["contexts"].as_table();
  toml::table contexts;
  for (const auto& [name, context] : settings.contexts) {
    const auto* known = before == nullptr ? nullptr : before->get_as<toml::table>(name);
    toml::table one = known == nullptr ? toml::table() : *known;
    set_text(one, "host", context.host);
    set_text(one, "key", context.key);
    contexts.insert(name, std::move(one));
  }
  table.insert_or_assign("contexts", std::move(contexts));
}

// Never readable by others, and whole or not at all.
Result<Done> replace(const fs::path& path, const std::string& text) {
  std::string temporary = path.string() + ".XXXXXX";
  const auto failed = [&path](int number) {
    return fail(ErrorCode::denied, "write {}: {}", path.string(), std::strerror(number));
  };
  const UniqueFd file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!file) return failed(errno);
  std::string_view left = text;
  while (!left.empty()) {
    const auto count = ::write(file.get(), left.data(), left.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  if (left.empty() && ::fsync(file.get()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0)
    return Done{};
  const int number = errno;
  ::unlink(temporary.c_str());
  return failed(number);
}

// $HOME, or where it is not set what the system knows of this user.
fs::path home() {
  if (const char* named = std::getenv("HOME"); named != nullptr && *named != '\0') return named;
  const auto* user = ::getpwuid(::geteuid());
  return user == nullptr || user->pw_dir == nullptr || *user->pw_dir != '/' ? "/" : user->pw_dir;
}

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

Result<Context> SettingsFile::context(const std::string& name, std::string_view source) const {
  const auto found = contexts.find(name);
  if (found != contexts.end()) return found->second;
  if (name == kDefaultContext) return Context{};
  std::vector<std::string> names;
  for (const auto& [known, context] : contexts) names.push_back(known);
  const auto near = nearest_word(name, names);
  return fail(ErrorCode::invalid,
              "there is no context \"{}\" (from {}){}; `lambda config contexts` lists them, and "
              "`lambda config set-context {} --host URL` makes it",
              name, source, near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near), name);
}

Result<Done> check_context_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= 63 && is_letter_or_digit(name.front()) &&
                    std::ranges::all_of(name, [](char c) {
                      return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
                    });
  if (good) return Done{};
  return fail(
      ErrorCode::invalid,
      "\"{}\" cannot be a context's name: that is 1 to 63 letters, digits, '.', '_' or '-', "
      "and begins with a letter or digit",
      name);
}

fs::path settings_path() {
  if (const char* base = std::getenv("XDG_CONFIG_HOME"); base != nullptr && *base != '\0')
    return fs::path(base) / "lambda/config.toml";
  return home() / ".config/lambda/config.toml";
}

Result<SettingsFile> read_settings() {
  const auto path = settings_path();
  const auto table = table_at(path);
  if (!table) return fail(Error(table.error()));
  SettingsFile settings;
  // As it was before there were contexts.
  if (table->contains("host") || table->contains("key")) {
    auto context = context_of(*table, path);
    if (!context) return fail(std::move(context.error()));
    settings.contexts[kDefaultContext] = std::move(*context);
  }
  auto current = text_at(*table, "context", path);
  if (!current) return fail(std::move(current.error()));
  if (!current->empty()) settings.current = std::move(*current);
  const auto* contexts = (*table)["contexts"].as_table();
  if (contexts == nullptr) return settings;
  for (const auto& [name, value] : *contexts) {
    if (!value.is_table()) continue;
    auto context = context_of(*value.as_table(), path);
    if (!context) return fail(std::move(context.error()));
    settings.contexts[std::string(name.str())] = std::move(*context);
  }
  return settings;
}

Result<Done> write_settings(const SettingsFile& settings) {
  auto path = settings_path();
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error)
    return fail(ErrorCode::denied, "make {}: {}", path.parent_path().string(), error.message());
  // A link into a folder of settings stays one.
  if (fs::is_symlink(path, error)) {
    if (auto target = fs::weakly_canonical(path, error); !error) path = std::move(target);
  }
  auto table = table_at(path);
  if (!table) return fail(std::move(table.error()));
  set_contexts(*table, settings);
  std::ostringstream text;
  text << *table << "\n";
  return replace(path, text.str());
}

}  // namespace lambda::cli
