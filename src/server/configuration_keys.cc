// The keys of the configuration: how each is read, checked, and written again.
#include "egress/address_rules.h"
#include "observe/trace/otlp_exporter.h"
#include "server/configuration.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <netinet/in.h>
#include <string_view>
#include <type_traits>

namespace lambda::server {
namespace {

// Seconds: files are begun eight times within it.
constexpr long kLeastLogAge = 60;

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
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
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
  if (address.host == "localhost") return address;  // both of its addresses
  if (address.host.empty() || address.host == "*") address.host = "0.0.0.0";
  in6_addr binary{};
  if (::inet_pton(AF_INET, address.host.c_str(), &binary) != 1 &&
      ::inet_pton(AF_INET6, address.host.c_str(), &binary) != 1) {
    return fail(ErrorCode::invalid, "\"{}\" is not an IP address to listen on", address.host);
  }
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

std::function<Result<Done>(Configuration&, const std::string&)> milliseconds(
    std::chrono::milliseconds Configuration::*field, long least, long most) {
  return [=](Configuration& configuration, const std::string& text) -> Result<Done> {
    auto value = parse_number<long>(text, least, most, "milliseconds");
    if (!value) return fail(std::move(value.error()));
    configuration.*field = std::chrono::milliseconds(*value);
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

Result<Done> set_egress(Configuration& configuration, const std::string& text) {
  auto rule = parse_egress(text);
  if (!rule) return fail(std::move(rule.error()));
  configuration.egress = std::move(*rule);
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

Result<Done> set_log_format(Configuration& configuration, const std::string& text) {
  if (text != "text" && text != "json")
    return fail(ErrorCode::invalid, "\"{}\" is no format: text and json are", text);
  configuration.log_format = text;
  return Done{};
}

Result<Done> set_log_file(Configuration& configuration, const std::string& text) {
  if (text == "none") {
    configuration.log_file.clear();
    return Done{};
  }
  if (!text.starts_with('/')) {
    return fail(ErrorCode::invalid,
                "\"{}\" is no absolute path, such as /var/log/lambda/server/lambdad.log (none: no "
                "file)",
                text);
  }
  configuration.log_file = text;
  return Done{};
}

Result<Done> set_function_log_age(Configuration& configuration, const std::string& text) {
  auto value = parse_number<long>(text, 0, 3'153'600'000, "seconds");
  if (!value) return fail(std::move(value.error()));
  if (*value != 0 && *value < kLeastLogAge)
    return fail(ErrorCode::invalid, "{} seconds are too few: {} are the least (0: no limit)",
                *value, kLeastLogAge);
  configuration.function_log_age = std::chrono::seconds(*value);
  return Done{};
}

Result<Done> set_insecure(Configuration& configuration, const std::string& text) {
  auto value = parse_switch(text);
  if (!value) return fail(std::move(value.error()));
  configuration.insecure = *value;
  return Done{};
}

Result<Done> set_metrics_open(Configuration& configuration, const std::string& text) {
  auto value = parse_switch(text);
  if (!value) return fail(std::move(value.error()));
  configuration.metrics_open = *value;
  return Done{};
}

Result<Done> set_body_memory(Configuration& configuration, const std::string& text) {
  auto value = parse_number<std::uint64_t>(text, 0, 1'000'000'000, "MB");
  if (!value) return fail(std::move(value.error()));
  if (*value != 0 && *value < kLeastBodyMemory) {
    return fail(ErrorCode::invalid, "{} MB is too little: {} MB is the least (0: the default)",
                *value, kLeastBodyMemory);
  }
  configuration.body_memory = *value;
  return Done{};
}

Result<Done> set_audit_age(Configuration& configuration, const std::string& text) {
  auto value = parse_number<int>(text, 0, 36'500, "days");
  if (!value) return fail(std::move(value.error()));
  configuration.audit_age = std::chrono::days(*value);
  return Done{};
}

Result<Done> set_async_open_urls(Configuration& configuration, const std::string& text) {
  auto value = parse_switch(text);
  if (!value) return fail(std::move(value.error()));
  configuration.async_open_urls = *value;
  return Done{};
}

std::function<Result<Done>(Configuration&, const std::string&)> networks(
    std::vector<std::string> Configuration::*field) {
  return [field](Configuration& configuration, const std::string& text) -> Result<Done> {
    auto network = egress::Network::parse(text);
    if (!network) return fail(std::move(network.error()));
    (configuration.*field).push_back(text);
    return Done{};
  };
}

Result<Done> set_otlp_endpoint(Configuration& configuration, const std::string& text) {
  auto url = observe::otlp_url(text);
  if (!url) return fail(std::move(url.error()));
  configuration.otlp_endpoint = text;
  return Done{};
}

// As a field of an HTTP request.
Result<Done> add_otlp_header(Configuration& configuration, const std::string& text) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  const auto is_of_a_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (equals == std::string::npos || name.empty() || !std::ranges::all_of(name, is_of_a_name) ||
      !std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7F; })) {
    return fail(ErrorCode::invalid, "it is not NAME=VALUE, such as Authorization=Bearer KEY");
  }
  configuration.otlp_headers.emplace_back(name, text.substr(equals + 1));
  return Done{};
}

Result<Done> set_otlp_sample(Configuration& configuration, const std::string& text) {
  double share = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), share);
  if (error != std::errc() || end != text.data() + text.size() || !(share >= 0 && share <= 1)) {
    return fail(ErrorCode::invalid, "\"{}\" is not a share from 0 to 1, such as 0.1", text);
  }
  configuration.otlp_sample = share;
  return Done{};
}

Result<Done> set_docker_host(Configuration& configuration, const std::string& text) {
  if (text != "none" && !text.starts_with("unix:///")) {
    return fail(ErrorCode::invalid,
                "\"{}\" is not a unix socket such as unix:///run/docker.sock; Docker Engine is "
                "reached in no other way (none: not at all)",
                text);
  }
  configuration.docker_host = text;
  return Done{};
}

// As a basic string of TOML.
std::string toml_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string text_or_nothing(std::string_view text) {
  return text.empty() ? std::string() : toml_text(text);
}

template <class Field>
std::function<std::string(const Configuration&)> shown(Field Configuration::*field) {
  return [field](const Configuration& configuration) {
    if constexpr (std::is_same_v<Field, std::string>) {
      return text_or_nothing(configuration.*field);
    } else if constexpr (std::is_same_v<Field, std::filesystem::path>) {
      return text_or_nothing((configuration.*field).string());
    } else if constexpr (std::is_same_v<Field, bool>) {
      return std::string(configuration.*field ? "true" : "false");
    } else if constexpr (std::is_integral_v<Field>) {
      return std::to_string(configuration.*field);
    } else {
      return std::to_string(
          std::chrono::duration_cast<std::chrono::seconds>(configuration.*field).count());
    }
  };
}

std::function<std::string(const Configuration&)> shown_milliseconds(
    std::chrono::milliseconds Configuration::*field) {
  return [field](const Configuration& configuration) {
    return std::to_string((configuration.*field).count());
  };
}

std::string shown_listen(const Configuration& configuration) {
  std::string result;
  for (const auto& address : configuration.listen) {
    const bool v6 = address.host.find(':') != std::string::npos;
    result += result.empty() ? "[" : ", ";
    result += v6 ? fmt::format("\"[{}]:{}\"", address.host, address.port)
                 : fmt::format("\"{}:{}\"", address.host, address.port);
  }
  return result.empty() ? result : result + "]";
}

std::function<std::string(const Configuration&)> shown_networks(
    std::vector<std::string> Configuration::*field) {
  return [field](const Configuration& configuration) {
    std::string result;
    for (const auto& network : configuration.*field)
      result += fmt::format("{}\"{}\"", result.empty() ? "[" : ", ", network);
    return result.empty() ? result : result + "]";
  };
}

std::string shown_audit_age(const Configuration& configuration) {
  return std::to_string(configuration.audit_age.count());
}

std::string shown_otlp_headers(const Configuration& configuration) {
  std::string result;
  for (const auto& [name, value] : configuration.otlp_headers) {
    result += result.empty() ? "[" : ", ";
    result += toml_text(fmt::format("{}={}", name, value));
  }
  return result.empty() ? result : result + "]";
}

std::string shown_otlp_sample(const Configuration& configuration) {
  return fmt::format("{}", configuration.otlp_sample);
}

std::string shown_driver(const Configuration& configuration) {
  return configuration.driver ? toml_text(function::to_string(*configuration.driver))
                              : std::string();
}

std::string shown_egress(const Configuration& configuration) {
  return toml_text(to_string(configuration.egress));
}

std::string shown_socket(const Configuration& configuration) {
  return toml_text(configuration.socket.empty() ? "none" : configuration.socket.string());
}

// The defaults are words for people; docs/configuration.md has the same.
std::vector<Key> make_keys() {
  using C = Configuration;
  return {
      {"data_dir", "DIR", "/var/lib/lambda for root, else ~/.local/share/lambda",
       "functions, packages, keys, logs", text_of(&C::data_directory), shown(&C::data_directory)},
      {"runtimes_dir", "DIR", "/var/lib/lambda-runtimes",
       "the base file systems made by runtimes/build", text_of(&C::runtimes_directory),
       shown(&C::runtimes_directory)},
      {"listen", "ADDRESS:PORT", "127.0.0.1 and ::1, port 80, else 8080",
       "where to listen; several are allowed. Beyond loopback is a choice with a warning",
       set_listen, shown_listen, true},
      {"domain", "NAME", "localhost", "functions answer at NAME.<domain>", set_domain,
       shown(&C::domain)},
      {"driver", "native|docker", "native where it can work, else docker",
       "what functions run in unless they choose themselves", set_driver, shown_driver},
      {"socket", "PATH", "/run/lambda/lambda.sock for root, else none",
       "unix socket for the members of the group lambda; none for none", set_socket, shown_socket},
      {"account", "NUMBER", "000000000000", "the account number in ARNs", set_account,
       shown(&C::account)},
      {"region", "NAME", "us-east-1", "the region in ARNs", set_region, shown(&C::region)},
      {"user", "NAME", "lambda", "whom lambdad becomes when root starts it", text_of(&C::user),
       shown(&C::user)},
      {"docker_host", "unix://PATH", "DOCKER_HOST, else the usual sockets",
       "where Docker Engine listens; none for no Docker", set_docker_host, shown(&C::docker_host)},
      {"log_level", "LEVEL", "info",
       "debug, info, warn or error, of lambdad's own log; it goes to standard error", set_log_level,
       shown(&C::log_level)},
      {"log_format", "text|json", "text", "how the log is written: lines, or a JSON object a line",
       set_log_format, shown(&C::log_format)},
      {"log_file", "PATH", "none",
       "a file for the log, too; a full one is put aside (lambdad.log as lambdad.1.log). none for "
       "none",
       set_log_file, shown(&C::log_file)},
      {"log_file_size", "MB", "16", "how large it may become",
       number<std::uint64_t>(&C::log_file_size, 1, 10'000, "MB"), shown(&C::log_file_size)},
      {"log_files", "N", "5", "how many of it are kept", number(&C::log_files, 1u, 1000u, "files"),
       shown(&C::log_files)},
      {"function_log_size", "MB", "64", "what is kept of one function's log, the newest of it",
       number<std::uint64_t>(&C::function_log_size, 1, 1'000'000, "MB"),
       shown(&C::function_log_size)},
      {"function_log_age", "SECONDS", "2592000", "older lines of a function's log go; 0 for none",
       set_function_log_age, shown(&C::function_log_age)},
      {"function_log_rate", "KB", "8192",
       "what is kept of one function's log a second; 0 for all that it writes",
       number<std::uint64_t>(&C::function_log_rate, 0, 10'000'000, "KB"),
       shown(&C::function_log_rate)},
      {"function_log_burst", "KB", "32768", "what is kept on top of that, where it is at once",
       number<std::uint64_t>(&C::function_log_burst, 1024, 10'000'000, "KB"),
       shown(&C::function_log_burst)},
      {"insecure", "", "off", "accept keys over plain HTTP from beyond this machine", set_insecure,
       shown(&C::insecure)},
      {"metrics_open", "", "off", "answer GET /metrics without a key, whoever asks",
       set_metrics_open, shown(&C::metrics_open)},
      {"loops", "N", "0: one a core", "event loops", number(&C::loops, 0u, 256u, "loops"),
       shown(&C::loops)},
      {"max_instances", "N", "0: what memory and descriptors allow", "instances at once",
       number<std::size_t>(&C::max_instances, 0, 1'000'000, "instances"), shown(&C::max_instances)},
      {"stems", "N", "8",
       "sandboxes of a kind that wait ready for a function, at the most (native driver); 0: none",
       number<std::size_t>(&C::stems, 0, 1'000, "stems"), shown(&C::stems)},
      {"zygote_forks", "N", "64",
       "Python runtimes that are forked from one zygote, at the most (native driver); 0: none is",
       number<std::uint32_t>(&C::zygote_forks, 0, 1'000'000, "forks"), shown(&C::zygote_forks)},
      {"memory_budget", "MB", "0: 90 % of the machine's memory",
       "memory of all functions together (native driver)",
       number<std::uint64_t>(&C::memory_budget, 0, 1'000'000'000, "MB"), shown(&C::memory_budget)},
      {"process_budget", "N", "0: 80 % of the machine's process ids",
       "processes and threads of all functions together (native driver)",
       number<std::uint64_t>(&C::process_budget, 0, 4'194'304, "processes"),
       shown(&C::process_budget)},
      {"body_memory", "MB", "0: an eighth of the machine's memory, 128 MB at the least",
       "bodies of requests and responses that the server holds at once; more are answered with 503",
       set_body_memory, shown(&C::body_memory)},
      {"freeze_after", "MILLISECONDS", "1000",
       "an instance without a call for so long is frozen until the next one; 0: never",
       milliseconds(&C::freeze_after, 0, 86'400'000), shown_milliseconds(&C::freeze_after)},
      {"idle_time", "SECONDS", "300", "an instance without a call for so long is given up",
       seconds(&C::idle_time, 1, 86'400), shown(&C::idle_time)},
      {"egress", "none|internet|CIDR,...", "internet",
       "what functions reach that do not say so themselves (native driver)", set_egress,
       shown_egress},
      {"low_memory", "PERCENT", "5",
       "idle instances are given up while less of the memory than that is available; 0: never",
       number(&C::low_memory, 0u, 99u, "percent"), shown(&C::low_memory)},
      {"drain_time", "SECONDS", "30", "how long running calls may go on after SIGTERM",
       seconds(&C::drain_time, 0, 3'600), shown(&C::drain_time)},
      {"longest_wait", "SECONDS", "30", "how long a call waits for an instance",
       seconds(&C::longest_wait, 1, 900), shown(&C::longest_wait)},
      {"keep_versions", "N", "5", "versions made by lambda deploy that are kept",
       number<std::size_t>(&C::keep_versions, 1, 10'000, "versions"), shown(&C::keep_versions)},
      {"audit_age", "DAYS", "365", "how long the audit keeps who changed what; 0 for ever",
       set_audit_age, shown_audit_age},
      {"async_concurrency", "N", "0: 16 a core, half of the instances at most",
       "asynchronous events carried out at once",
       number<std::size_t>(&C::async_concurrency, 0, 10'000, "events"),
       shown(&C::async_concurrency)},
      {"async_open_urls", "", "off", "hear X-Lambda-Async where everybody may call, too",
       set_async_open_urls, shown(&C::async_open_urls)},
      {"retry_delay", "SECONDS", "60",
       "before an event whose function failed is retried; the second retry waits twice as long",
       seconds(&C::retry_delay, 1, 3'600), shown(&C::retry_delay)},
      {"retries", "N", "2",
       "how often such an event is retried, where its function is configured to nothing else",
       number<int>(&C::retries, 0, 2, "retries"), shown(&C::retries)},
      {"max_event_age", "SECONDS", "21600",
       "how old an event may become before it is given up, where its function is configured to "
       "nothing else",
       seconds(&C::max_event_age, 60, 21'600), shown(&C::max_event_age)},
      {"keep_results", "SECONDS", "3600", "how long the results of asynchronous events are kept",
       seconds(&C::keep_results, 60, 604'800), shown(&C::keep_results)},
      {"webhook_retry_delay", "SECONDS", "10",
       "before a webhook's first retry; later ones wait 3 to 360 times that",
       seconds(&C::webhook_retry_delay, 1, 3'600), shown(&C::webhook_retry_delay)},
      {"webhook_max_age", "SECONDS", "86400", "a webhook that nobody takes is retried for so long",
       seconds(&C::webhook_max_age, 1, 1'209'600), shown(&C::webhook_max_age)},
      {"webhook_timeout", "SECONDS", "15", "how long one attempt to send a webhook may take",
       seconds(&C::webhook_timeout, 1, 300), shown(&C::webhook_timeout)},
      {"slow_call", "MILLISECONDS", "1000",
       "a call that takes longer is slow, and its trace is kept on disk; 0: what is slow depends "
       "on "
       "its function's other calls alone",
       milliseconds(&C::slow_call, 0, 900'000), shown_milliseconds(&C::slow_call)},
      {"trace_space", "MB", "64", "traces of slow and failed calls on disk",
       number<std::uint64_t>(&C::trace_space, 1, 1'000'000, "MB"), shown(&C::trace_space)},
      {"keep_traces", "SECONDS", "604800", "how long traces of slow and failed calls are kept",
       seconds(&C::keep_traces, 60, 31'536'000), shown(&C::keep_traces)},
      {"otlp_endpoint", "URL", "none",
       "the OpenTelemetry collector (OTLP over HTTP) that traces are exported to, such as "
       "http://localhost:4318",
       set_otlp_endpoint, shown(&C::otlp_endpoint)},
      {"otlp_headers", "NAME=VALUE", "none",
       "what the collector wants to see, a key for example; several are allowed", add_otlp_header,
       shown_otlp_headers, true},
      {"otlp_sample", "SHARE", "1",
       "from 0 to 1: the share of the traces begun here that is exported; those of callers are "
       "where their traceparent says so",
       set_otlp_sample, shown_otlp_sample},
      {"webhook_networks", "CIDR", "none",
       "internal networks that webhooks may go to; several are allowed",
       networks(&C::webhook_networks), shown_networks(&C::webhook_networks), true},
      {"build_time", "SECONDS", "600",
       "how long the dependencies of one deploy may take to install (lambda deploy --build); 0: "
       "none are",
       seconds(&C::build_time, 0, 86'400), shown(&C::build_time)},
      {"build_networks", "CIDR", "none",
       "internal networks that builds may go to; several are allowed", networks(&C::build_networks),
       shown_networks(&C::build_networks), true},
      {"dependency_cache", "MB", "1024",
       "of what was installed for lambda deploy --build, kept for the next deploy; 0: nothing",
       number<std::uint64_t>(&C::dependency_cache, 0, 1'000'000, "MB"),
       shown(&C::dependency_cache)},
  };
}

}  // namespace

const std::vector<Key>& configuration_keys() {
  static const std::vector<Key> keys = make_keys();
  return keys;
}

}  // namespace lambda::server
