// Steps: a watch that ends the program in time -> what was kept of the last answer, if it is new ->
// else the server -> the names in it.
#include "cli/completion_names.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/unique_fd.h"
#include "cli/connection/json_fields.h"
#include "cli/connection/server_connection.h"
#include "cli/text_width.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;
using boost::json::object;

constexpr auto kLimit = std::chrono::milliseconds(300);
constexpr auto kFresh = std::chrono::seconds(5);

// A look-up of a name or a connection cannot be ended otherwise.
void end_in_time() {
  std::thread([] {
    std::this_thread::sleep_for(kLimit);
    ::_exit(0);
  }).detach();
}

std::optional<object> parsed(const std::string& text) {
  boost::system::error_code problem;
  auto value = boost::json::parse(text, problem);
  if (problem || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

fs::path cache_directory() {
  if (const char* base = std::getenv("XDG_CACHE_HOME"); base != nullptr && *base != '\0')
    return fs::path(base) / "lambda";
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? fs::path() : fs::path(home) / ".cache/lambda";
}

std::optional<std::string> kept(const fs::path& file) {
  std::error_code error;
  const auto written = fs::last_write_time(file, error);
  if (error) return std::nullopt;
  const auto age = fs::file_time_type::clock::now() - written;
  if (age < age.zero() || age > kFresh) return std::nullopt;
  std::ifstream stream(file);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

void keep(const fs::path& file, const std::string& text) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const auto temporary = file.string() + "." + std::to_string(::getpid());
  {
    const UniqueFd made(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!made ||
        ::write(made.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      ::unlink(temporary.c_str());
      return;
    }
  }
  fs::rename(temporary, file, error);
}

std::optional<object> ask(const WordWanted& wanted, const std::string& path) {
  ConnectionOptions options;
  options.host = wanted.host;
  options.context = wanted.context;
  auto target = find_target(options);
  if (!target) return std::nullopt;
  const auto directory = cache_directory();
  // Another server, another key, other names.
  const auto name = hex_encode(sha256(target->url.host_header + target->url.endpoint.unix_path +
                                      "\n" + target->key + "\n" + path));
  const auto file = directory / ("completion-" + name.substr(0, 32) + ".json");
  if (!directory.empty()) {
    if (auto text = kept(file)) return parsed(*text);
  }
  ServerConnection server(std::move(*target));
  auto answer = server.call("GET", path);
  if (!answer) return std::nullopt;
  if (!directory.empty()) keep(file, answer->body);
  return parsed(answer->body);
}

std::vector<std::string> names_in(const object& answer, const char* list, const char* member,
                                  const char* about) {
  std::vector<std::string> names;
  for (const auto& item : array_in(answer, list)) {
    if (!item.is_object()) continue;
    const auto& each = item.as_object();
    auto name = text_in(each, member);
    if (name.empty()) name = std::to_string(number_in(each, member));
    // Of any text, one line alone reaches the shell.
    names.push_back(shown_safely(name) + "\t" + shown_safely(text_in(each, about)));
  }
  return names;
}

std::vector<std::string> functions(const WordWanted& wanted) {
  const auto answer = ask(wanted, "/_lambda/functions");
  return answer ? names_in(*answer, "functions", "name", "runtime") : std::vector<std::string>();
}

std::vector<std::string> versions(const WordWanted& wanted) {
  const auto answer = ask(wanted, function_path(wanted.function, "/versions"));
  return answer ? names_in(*answer, "versions", "version", "message") : std::vector<std::string>();
}

std::vector<std::string> aliases(const WordWanted& wanted) {
  const auto answer = ask(wanted, function_path(wanted.function));
  return answer ? names_in(*answer, "aliases", "name", "version") : std::vector<std::string>();
}

std::vector<std::string> secrets(const WordWanted& wanted) {
  const auto answer = ask(wanted, "/_lambda/secrets");
  return answer ? names_in(*answer, "secrets", "name", "function") : std::vector<std::string>();
}

std::vector<std::string> keys(const WordWanted& wanted) {
  const auto answer = ask(wanted, "/_lambda/keys");
  return answer ? names_in(*answer, "keys", "name", "id") : std::vector<std::string>();
}

std::vector<std::string> contexts() {
  std::vector<std::string> names{kDefaultContext};
  const auto settings = read_settings();
  if (!settings) return names;
  for (const auto& [name, context] : settings->contexts) {
    if (name != kDefaultContext) names.push_back(name + "\t" + context.host);
  }
  return names;
}

}  // namespace

std::vector<std::string> names_for(const WordWanted& wanted) {
  switch (wanted.kind) {
    case WordKind::context:
      return contexts();
    case WordKind::function:
      end_in_time();
      return functions(wanted);
    case WordKind::version:
      end_in_time();
      return versions(wanted);
    case WordKind::alias:
      end_in_time();
      return aliases(wanted);
    case WordKind::qualifier: {
      end_in_time();
      auto names = aliases(wanted);
      for (auto& version : versions(wanted)) names.push_back(std::move(version));
      return names;
    }
    case WordKind::secret:
      end_in_time();
      return secrets(wanted);
    case WordKind::key:
      end_in_time();
      return keys(wanted);
    case WordKind::none:
    case WordKind::choice:
    case WordKind::files:
    case WordKind::folders:
      return {};
  }
  return {};
}

}  // namespace lambda::cli
