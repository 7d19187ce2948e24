#include "api/deploy_request.h"

#include "api/json_members.h"
#include "api/log_settings_api.h"
#include "base/deploy_rules.h"
#include "base/egress_rules.h"
#include "base/environment_rules.h"

#include <utility>

namespace lambda::api {
namespace {

namespace json = boost::json;

Result<deploy::Source> read_source(const json::object& settings) {
  auto text = text_member(settings, "source");
  if (!text) return fail(std::move(text.error()));
  if (*text == "zip") return deploy::Source::zip;
  if (*text == "context") return deploy::Source::context;
  if (*text == "image") return deploy::Source::image;
  return fail(ErrorCode::invalid, "source must be zip, context or image");
}

Result<Done> read_port(const json::object& settings, std::string_view name,
                       std::optional<std::uint16_t>& into) {
  auto port = number_member(settings, name);
  if (!port) return fail(std::move(port.error()));
  if (*port && (**port < 1 || **port > 65535))
    return fail(ErrorCode::invalid, "{} must be a number from 1 to 65535", name);
  if (*port) into = static_cast<std::uint16_t>(**port);
  return Done{};
}

Result<Done> read_in_range(const json::object& settings, std::string_view name, Range range,
                           std::optional<std::int64_t>& into) {
  auto number = number_member(settings, name);
  if (!number) return fail(std::move(number.error()));
  if (*number && (**number < range.least || **number > range.most))
    return fail(ErrorCode::invalid, "{} must be a number from {} to {}", name, range.least,
                range.most);
  if (*number) into = *number;
  return Done{};
}

Result<Done> read_cpus(const json::object& settings, std::optional<unsigned>& into) {
  const auto* value = settings.if_contains("cpus");
  if (value == nullptr || value->is_null()) return Done{};
  boost::system::error_code error;
  const auto cpus = value->to_number<double>(error);
  if (!error) into = cpu_thousandths(cpus);
  if (!into) return fail(ErrorCode::invalid, "cpus must be {}", kCpusRule);
  return Done{};
}

Result<Done> read_numbers(const json::object& settings, deploy::DeployRequest& request) {
  struct Field {
    std::string_view name;
    std::optional<int>* into;
  };
  for (const auto& [name, into] :
       {Field{"timeout", &request.timeout_seconds}, Field{"memory", &request.memory_mb},
        Field{"ephemeralStorage", &request.ephemeral_storage_mb}}) {
    auto number = number_member(settings, name);
    if (!number) return fail(std::move(number.error()));
    if (*number && (**number < 0 || **number > 1'000'000))
      return fail(ErrorCode::invalid, "{} is out of range", name);
    if (*number) *into = static_cast<int>(**number);
  }
  auto port = read_port(settings, "port", request.port);
  if (!port) return port;
  auto exposed = read_port(settings, "exposedPort", request.exposed_port);
  if (!exposed) return exposed;
  auto concurrency = number_member(settings, "concurrency");
  if (!concurrency) return fail(std::move(concurrency.error()));
  if (*concurrency && (**concurrency < 1 || **concurrency > 1000))
    return fail(ErrorCode::invalid, "concurrency must be a number from 1 to 1000");
  if (*concurrency) request.concurrency = static_cast<unsigned>(**concurrency);
  std::optional<std::int64_t> idle, least;
  auto read = read_in_range(settings, "idleTime", kIdleTimeRange, idle);
  if (read) read = read_in_range(settings, "minInstances", kMinInstancesRange, least);
  if (read) read = read_cpus(settings, request.cpu_thousandths);
  if (idle) request.idle_seconds = static_cast<int>(*idle);
  if (least) request.min_instances = static_cast<unsigned>(*least);
  return read;
}

// "default": the server's.
Result<Done> read_egress(const json::object& settings, std::optional<std::string>& into) {
  auto text = text_member(settings, "egress");
  if (!text) return fail(std::move(text.error()));
  if (!*text) return Done{};
  into = "";
  if (**text == "default") return Done{};
  auto rule = parse_egress(**text);
  if (!rule) return fail(std::move(rule.error()));
  into = to_string(*rule);
  return Done{};
}

Result<Done> read_texts(const json::object& settings, deploy::DeployRequest& request) {
  struct Field {
    std::string_view name;
    std::optional<std::string>* into;
  };
  for (const auto& [name, into] :
       {Field{"runtime", &request.runtime}, Field{"handler", &request.handler},
        Field{"description", &request.description}}) {
    auto text = text_member(settings, name);
    if (!text) return fail(std::move(text.error()));
    *into = std::move(*text);
  }
  if (auto egress = read_egress(settings, request.egress); !egress) return egress;
  auto image = text_member(settings, "image");
  auto message = text_member(settings, "message");
  if (!image) return fail(std::move(image.error()));
  if (!message) return fail(std::move(message.error()));
  request.image = image->value_or("");
  request.message = message->value_or("");
  return Done{};
}

// A word out of a few, each with its value.
template <class Value>
Result<Done> read_word(const json::object& settings, std::string_view name,
                       std::optional<Value> (*parse)(std::string_view), std::string_view words,
                       std::optional<Value>& into) {
  auto text = text_member(settings, name);
  if (!text) return fail(std::move(text.error()));
  if (!*text) return Done{};
  into = parse(**text);
  if (!into) return fail(ErrorCode::invalid, "{} must be {}, not \"{}\"", name, words, **text);
  return Done{};
}

// {"NAME":"env"|"file"|""}
Result<Done> read_secrets(const json::object& settings, deploy::DeployRequest& request) {
  auto secrets = texts_member(settings, "secrets");
  if (!secrets) return fail(std::move(secrets.error()));
  for (const auto& [name, text] : secrets->value_or(std::map<std::string, std::string>())) {
    if (auto good = function::check_secret_name(name); !good) return good;
    const auto form = function::parse_secret_form(text);
    if (!form && !text.empty())
      return fail(ErrorCode::invalid, "the secret {} can be given as env or file, not as \"{}\"",
                  name, text);
    request.secrets[name] = form;
  }
  auto clear = flag_member(settings, "secretsClear");
  if (!clear) return fail(std::move(clear.error()));
  request.secrets_clear = clear->value_or(false);
  return Done{};
}

// {"build": true, "buildCache": false, "buildEnvironment": {...}}
Result<std::optional<deploy::BuildRequest>> read_build(const json::object& settings) {
  auto build = flag_member(settings, "build");
  if (!build) return fail(std::move(build.error()));
  auto cache = flag_member(settings, "buildCache");
  if (!cache) return fail(std::move(cache.error()));
  auto environment = texts_member(settings, "buildEnvironment");
  if (!environment) return fail(std::move(environment.error()));
  if (!build->value_or(false)) {
    if (*cache || *environment)
      return fail(ErrorCode::invalid, "buildCache and buildEnvironment go with \"build\": true");
    return std::nullopt;
  }
  deploy::BuildRequest request;
  request.cache = cache->value_or(true);
  request.environment = environment->value_or(std::map<std::string, std::string>());
  auto fits = check_variables(request.environment);
  if (!fits) return fail(std::move(fits.error()), "buildEnvironment");
  return request;
}

}  // namespace

Result<deploy::DeployRequest> admit_deploy_request(const Exchange& exchange,
                                                   const json::object& settings) {
  auto request = read_deploy_request(exchange.captures.at(0), settings);
  if (!request) return request;
  request->limited = exchange.caller.grants.is_limited();
  if (request->source == deploy::Source::image) {
    if (auto may = exchange.authorize_image(); !may) return fail(std::move(may.error()));
  }
  return request;
}

Result<deploy::DeployRequest> read_deploy_request(std::string name, const json::object& settings) {
  deploy::DeployRequest request;
  request.name = std::move(name);
  auto source = read_source(settings);
  if (!source) return fail(std::move(source.error()));
  request.source = *source;
  auto done = read_texts(settings, request);
  if (done) done = read_numbers(settings, request);
  if (done)
    done = read_word(settings, "kind", function::parse_kind, "handler or http", request.kind);
  if (done)
    done =
        read_word(settings, "url", function::parse_url_auth, "open, iam, key or none", request.url);
  if (done)
    done =
        read_word(settings, "driver", function::parse_driver, "native or docker", request.driver);
  if (done) {
    done = read_word(settings, "isolation", function::parse_isolation, "fork or exec",
                     request.isolation);
  }
  if (!done) return fail(std::move(done.error()));
  auto environment = texts_member(settings, "environment");
  if (!environment) return fail(std::move(environment.error()));
  request.environment = environment->value_or(std::map<std::string, std::string>());
  auto clear = flag_member(settings, "environmentClear");
  if (!clear) return fail(std::move(clear.error()));
  request.environment_clear = clear->value_or(false);
  if (auto secrets = read_secrets(settings, request); !secrets)
    return fail(std::move(secrets.error()));
  auto build = read_build(settings);
  if (!build) return fail(std::move(build.error()));
  request.build = std::move(*build);
  auto logs = object_member(settings, "logs");
  if (!logs) return fail(std::move(logs.error()));
  if (*logs != nullptr) {
    auto change = read_log_settings(**logs);
    if (!change) return fail(std::move(change.error()), "logs");
    request.logs = *change;
  }
  auto tags = texts_member(settings, "tags");
  if (!tags) return fail(std::move(tags.error()));
  request.tags = tags->value_or(std::map<std::string, std::string>());
  return request;
}

}  // namespace lambda::api
