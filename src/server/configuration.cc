#include "server/configuration.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

Result<std::string> text_of_node(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_floating_point()) return fmt::format("{}", value->get());
  if (const auto* value = node.as_boolean()) return std::string(value->get() ? "true" : "false");
  return fail(ErrorCode::invalid, "it must be a text, a number or true or false");
}

const Key* find_key(std::string_view name) {
  const auto& keys = configuration_keys();
  const auto found = std::ranges::find(keys, name, &Key::name);
  return found == keys.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<Setting>> settings_from_file(const fs::path& path) {
  std::ifstream file(path);
  const int problem = errno;
  if (!file)
    return fail(Error::from_errno("read the configuration file " + path.string(), problem));
  toml::table table;
  try {
    table = toml::parse(file, path.string());
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::invalid, "{} line {}: {}", path.string(), error.source().begin.line,
                error.description());
  }
  std::vector<Setting> settings;
  for (const auto& [name, node] : table) {
    Setting setting;
    setting.key = std::string(name.str());
    setting.source = fmt::format("{} line {}", path.string(), node.source().begin.line);
    const Key* key = find_key(setting.key);
    if (key == nullptr) {
      return fail(ErrorCode::invalid, "{}: unknown key \"{}\"; `lambdad --help` lists them all",
                  setting.source, setting.key);
    }
    const auto* array = node.as_array();
    if (array != nullptr && key->repeatable) {
      for (const auto& item : *array) {
        auto text = text_of_node(item);
        if (!text) return fail(std::move(text.error()), "{}: {}", setting.source, setting.key);
        setting.values.push_back(std::move(*text));
      }
    } else {
      auto text = text_of_node(node);
      if (!text) return fail(std::move(text.error()), "{}: {}", setting.source, setting.key);
      setting.values.push_back(std::move(*text));
    }
    settings.push_back(std::move(setting));
  }
  return settings;
}

std::vector<Setting> settings_from_environment(const std::function<const char*(const char*)>& get) {
  std::vector<Setting> settings;
  for (const auto& key : configuration_keys()) {
    std::string name = "LAMBDA_" + key.name;
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    });
    const char* text = get(name.c_str());
    // Set to nothing is not set: that is how service files and containers leave one out.
    if (text == nullptr || *text == '\0') continue;
    Setting setting;
    setting.key = key.name;
    setting.source = name + " in the environment";
    std::string_view rest = text;
    while (key.repeatable && rest.find(',') != std::string_view::npos) {
      setting.values.emplace_back(rest.substr(0, rest.find(',')));
      rest.remove_prefix(rest.find(',') + 1);
    }
    setting.values.emplace_back(rest);
    settings.push_back(std::move(setting));
  }
  return settings;
}

Result<Configuration> make_configuration(const std::vector<Setting>& settings, bool root,
                                         const std::string& home) {
  Configuration configuration;
  configuration.data_directory =
      root ? fs::path("/var/lib/lambda") : fs::path(home) / ".local/share/lambda";
  configuration.runtimes_directory = "/var/lib/lambda-runtimes";
  if (root) configuration.socket = "/run/lambda/lambda.sock";
  // A key given by a source of higher precedence replaces what lower ones gave, lists included.
  std::map<std::string, const Setting*> winners;
  for (const auto& setting : settings) winners[setting.key] = &setting;
  for (const auto& [name, setting] : winners) {
    const Key* key = find_key(name);
    if (key == nullptr)
      return fail(ErrorCode::invalid, "{}: unknown key \"{}\"", setting->source, name);
    for (const auto& value : setting->values) {
      auto set = key->set(configuration, value);
      if (!set) return fail(std::move(set.error()), "{}: {}", setting->source, name);
    }
  }
  if (configuration.data_directory.is_relative())
    configuration.data_directory = fs::absolute(configuration.data_directory);
  if (configuration.runtimes_directory.is_relative()) {
    configuration.runtimes_directory = fs::absolute(configuration.runtimes_directory);
  }
  return configuration;
}

std::string describe(const Configuration& configuration, const std::vector<Setting>& settings) {
  std::string text;
  for (const auto& key : configuration_keys()) {
    std::string source = "default";
    for (const auto& setting : settings) {
      if (setting.key == key.name) source = setting.source;
    }
    const auto value = key.show(configuration);
    // What is decided at the start stands there as a comment.
    text += value.empty() ? fmt::format("# {} is not set: {}\n", key.name, key.standard)
                          : fmt::format("{} = {}  # {}\n", key.name, value, source);
  }
  return text;
}

}  // namespace lambda::server
