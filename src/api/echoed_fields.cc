#include "api/echoed_fields.h"

#include "api/json_members.h"
#include "function/validation.h"

namespace lambda::api {
namespace {

namespace json = boost::json;

Result<Done> take_vpc(const json::object& body, function::Configuration& configuration) {
  auto given = object_member(body, "VpcConfig");
  if (!given) return fail(std::move(given.error()));
  if (*given == nullptr) return Done{};
  json::object kept;
  for (const char* name : {"SubnetIds", "SecurityGroupIds"}) {
    auto list = list_member(**given, name);
    if (!list) return fail(std::move(list.error()));
    const auto items = list->value_or(std::vector<std::string>());
    kept[name] = json::array(items.begin(), items.end());
  }
  auto dual = flag_member(**given, "Ipv6AllowedForDualStack");
  if (!dual) return fail(std::move(dual.error()));
  if (*dual) kept["Ipv6AllowedForDualStack"] = **dual;
  kept["VpcId"] = "";
  configuration.echoed["VpcConfig"] = json::serialize(kept);
  return Done{};
}

Result<Done> take_key(const json::object& body, function::Configuration& configuration) {
  auto key = text_member(body, "KMSKeyArn");
  if (!key) return fail(std::move(key.error()));
  if (!*key) return Done{};
  if ((*key)->empty()) {
    configuration.echoed.erase("KMSKeyArn");
  } else {
    configuration.echoed["KMSKeyArn"] = json::serialize(json::value(**key));
  }
  return Done{};
}

// An object with one member, which is a word out of a set.
Result<Done> take_word(const json::object& body, const char* name, const char* member,
                       const char* field, const std::vector<std::string_view>& allowed,
                       function::Configuration& configuration) {
  auto given = object_member(body, name);
  if (!given) return fail(std::move(given.error()));
  if (*given == nullptr) return Done{};
  auto word = text_member(**given, member);
  if (!word) return fail(std::move(word.error()));
  if (!*word) return Done{};
  function::ValidationErrors errors;
  errors.check_enum(field, **word, allowed);
  if (auto good = errors.result(); !good) return good;
  configuration.echoed[name] = json::serialize(json::object{{member, **word}});
  return Done{};
}

Result<Done> check_logging(const json::object& body, std::string_view function) {
  auto given = object_member(body, "LoggingConfig");
  if (!given) return fail(std::move(given.error()));
  if (*given == nullptr) return Done{};
  auto format = text_member(**given, "LogFormat");
  if (!format) return fail(std::move(format.error()));
  if (*format) {
    function::ValidationErrors errors;
    errors.check_enum("loggingConfig.logFormat", **format, {"JSON", "Text"});
    if (auto good = errors.result(); !good) return good;
    if (**format != "Text") {
      return fail(ErrorCode::invalid,
                  "LoggingConfig.LogFormat {}: functions log as text here; leave LogFormat out",
                  **format);
    }
  }
  for (const char* level : {"ApplicationLogLevel", "SystemLogLevel"}) {
    auto text = text_member(**given, level);
    if (!text) return fail(std::move(text.error()));
    if (*text) {
      return fail(ErrorCode::invalid,
                  "LoggingConfig.{}: log lines are not filtered by level here; leave it out",
                  level);
    }
  }
  auto group = text_member(**given, "LogGroup");
  if (!group) return fail(std::move(group.error()));
  const auto own = fmt::format("/aws/lambda/{}", function);
  if (*group && **group != own) {
    return fail(
        ErrorCode::invalid,
        "LoggingConfig.LogGroup {}: a function's log is its own here, {}; leave LogGroup out",
        **group, own);
  }
  return Done{};
}

}  // namespace

Result<Done> take_echoed(const json::object& body, std::string_view function,
                         function::Configuration& configuration) {
  auto done = take_vpc(body, configuration);
  if (done) done = take_key(body, configuration);
  if (done) {
    done = take_word(body, "TracingConfig", "Mode", "tracingConfig.mode", {"Active", "PassThrough"},
                     configuration);
  }
  if (done) {
    done = take_word(body, "SnapStart", "ApplyOn", "snapStart.applyOn",
                     {"PublishedVersions", "None"}, configuration);
  }
  if (done) done = check_logging(body, function);
  return done;
}

}  // namespace lambda::api
