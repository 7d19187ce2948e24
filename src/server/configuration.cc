#include "server/configuration.h"

#include "base/encoding.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

template <class Number>
Result<Number> parse_number(const std::string& text, Number least, Number most,
                            std::string_view unit) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return fail(ErrorCode::invalid, "\"{}\" is not a number of {} from {} to {}", text, unit, least,
                most);
  }
  return value;
}

Result<bool> parse_switch(const std::string& text) {
  if (text == "true" || text == "1" || text == "yes" || text.empty()) return true;
  if (text == "false" || text == "0" || text == "no") return false;
  return fail(ErrorCode::invalid, "\"{}\" is neither true nor false", text);
}

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" (every address).
Result<http::ListenAddress> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) {
    return fail(ErrorCode::invalid,
                "\"{}\" is not ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080", text);
  }
  auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 0, 65535, "a port");
  if (!port) return fail(std::move(port.error()));
  http::ListenAddress address;
  address.port = *port;
  address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return fail(ErrorCode::invalid, "\"{}\": write an IPv6 address in brackets, [::1]:8080", text);
  }
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (address.host.empty() || address.host == "*") address.host = "0.0.0.0";
  return address;
}

Result<Done> check_domain(const std::string& text) {
  const bool fits =
      !text.empty() && text.size() <= 190 && text.front() != '.' && text.back() != '.' &&
      std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
      });
  if (!fits)
    return fail(ErrorCode::invalid,
                "\"{}\" is not a domain in lower case, such as functions.example.org", text);
  return Done{};
}

template <class Number>
std::function<Result<Done>(Configuration&, const std::string&)> number(Number Configuration::*field,
                                                                       Number least, Number most,
                                                                       std::string unit) {
  return [=](Configuration& configuration, const std::string& text) -> Result<Done> {
    auto value = parse_number<Number>(text, least, most, unit);
    if (!value) return fail(std::move(value.error()));
    configuration.*field = *value;
    return Done{};
  };
}

template <class Duration>
std::function<Result<Done>(Configuration&, const std::string&)> seconds(
    Duration Configuration::*field, long least, long most) {
  return [=](Configuration& configuration, const std::string& text) -> Result<Done> {
    auto value = parse_number<long>(text, least, most, "seconds");
    if (!value) return fail(std::move(value.error()));
    configuration.*field = std::chrono::seconds(*value);
    return Done{};
  };
}

template <class Field>
std::function<Result<Done>(Configuration&, const std::string&)> text_of(
    Field Configuration::*field) {
  return [=](Configuration& configuration, const std::string& text) -> Result<Done> {
    if (text.empty()) return fail(ErrorCode::invalid, "it is empty");
    configuration.*field = text;
    return Done{};
  };
}

Result<Done> set_listen(Configuration& configuration, const std::string& text) {
  auto address = parse_listen(text);
  if (!address) return fail(std::move(address.error()));
  configuration.listen.push_back(std::move(*address));
  return Done{};
}

Result<Done> set_domain(Configuration& configuration, const std::string& text) {
  auto fits = check_domain(text);
  if (!fits) return fits;
  configuration.domain = text;
  return Done{};
}

Result<Done> set_driver(Configuration& configuration, const std::string& text) {
  const auto driver = function::parse_driver(text);
  if (!driver) return fail(ErrorCode::invalid, "\"{}\" is no driver: native and docker are", text);
  configuration.driver = driver;
  return Done{};
}

Result<Done> set_socket(Configuration& configuration, const std::string& text) {
  // sun_path holds 107 characters and a NUL.
  if (text.size() > 107)
    return fail(ErrorCode::invalid, "\"{}\" is longer than the 107 bytes of a socket's path", text);
  configuration.socket = text == "none" ? std::string() : text;
  return Done{};
}

Result<Done> set_account(Configuration& configuration, const std::string& text) {
  const bool fits =
      text.size() == 12 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!fits) return fail(ErrorCode::invalid, "\"{}\" is not an account number of 12 digits", text);
  configuration.account = text;
  return Done{};
}

Result<Done> set_region(Configuration& configuration, const std::string& text) {
  const bool fits = !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!fits) return fail(ErrorCode::invalid, "\"{}\" is not a region such as us-east-1", text);
  configuration.region = text;
  return Done{};
}

Result<Done> set_log_level(Configuration& configuration, const std::string& text) {
  constexpr std::string_view levels[] = {"debug", "info", "warn", "error"};
  if (std::ranges::find(levels, text) == std::end(levels)) {
    return fail(ErrorCode::invalid, "\"{}\" is no level: debug, info, warn and error are", text);
  }
  configuration.log_level = text;
  return Done{};
}

Result<Done> set_insecure(Configuration& configuration, const std::string& text) {
  auto value = parse_switch(text);
  if (!value) return fail(std::move(value.error()));
  configuration.insecure = *value;
  return Done{};
}

std::vector<Key> make_keys() {
  using C = Configuration;
  return {
      {"data_dir", "DIR", "where functions, packages, keys and logs are kept",
       text_of(&C::data_directory), false},
      {"runtimes_dir", "DIR", "the base file systems made by runtimes/build",
       text_of(&C::runtimes_directory), false},
      {"listen", "ADDRESS:PORT",
       "where to listen; several may be given (default: loopback, port 80, else 8080)", set_listen,
       true},
      {"domain", "NAME", "functions answer at NAME.<domain> (default: localhost)", set_domain,
       false},
      {"driver", "native|docker",
       "what functions run in unless they choose (default: native where it can work)", set_driver,
       false},
      {"socket", "PATH", "the unix socket for members of the group lambda; none for none",
       set_socket, false},
      {"account", "NUMBER", "the account number in ARNs", set_account, false},
      {"region", "NAME", "the region in ARNs", set_region, false},
      {"user", "NAME", "whom lambdad becomes when it is started as root (default: lambda)",
       text_of(&C::user), false},
      {"docker_host", "unix://PATH", "where Docker Engine listens", text_of(&C::docker_host),
       false},
      {"log_level", "LEVEL", "debug, info, warn or error", set_log_level, false},
      {"insecure", "", "accept keys over plain HTTP from beyond this machine", set_insecure, false},
      {"loops", "N", "event loops; 0 for one a core", number(&C::loops, 0u, 256u, "loops"), false},
      {"max_instances", "N", "instances at once; 0 for what memory and descriptors allow",
       number<std::size_t>(&C::max_instances, 0, 1'000'000, "instances"), false},
      {"idle_time", "SECONDS", "an instance is given up after so long without a call",
       seconds(&C::idle_time, 1, 86'400), false},
      {"drain_time", "SECONDS", "how long running calls may go on after SIGTERM",
       seconds(&C::drain_time, 0, 3'600), false},
      {"longest_wait", "SECONDS", "how long a call waits for an instance",
       seconds(&C::longest_wait, 1, 900), false},
      {"keep_versions", "N", "versions made by lambda deploy that are kept",
       number<std::size_t>(&C::keep_versions, 1, 10'000, "versions"), false},
  };
}

Result<std::string> text_of_node(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* value = node.as_integer()) return std::to_string(value->get());
  if (const auto* value = node.as_boolean()) return std::string(value->get() ? "true" : "false");
  return fail(ErrorCode::invalid, "it must be a text, a whole number or true or false");
}

const Key* find_key(std::string_view name) {
  const auto& keys = configuration_keys();
  const auto found = std::ranges::find(keys, name, &Key::name);
  return found == keys.end() ? nullptr : &*found;
}

}  // namespace

const std::vector<Key>& configuration_keys() {
  static const std::vector<Key> keys = make_keys();
  return keys;
}

Result<std::vector<Setting>> settings_from_file(const fs::path& path) {
  toml::table table;
  try {
    table = toml::parse_file(path.string());
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
    if (text == nullptr) continue;
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

}  // namespace lambda::server
