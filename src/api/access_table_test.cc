// Every operation with every scope, and with patterns that do and do not match: what is written
// here is what docs/keys.md promises, apart from what the routes say of themselves.
#include "api/api_fixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>

namespace lambda::api {
namespace {

// Who may, beside "admin": r(ead), i(nvoke), d(eploy).
const std::map<std::string, std::string> kMay = {
    {"AddPermission", "rid"},
    {"CancelEvent", "d"},
    {"ChangeEnvironment", "d"},
    {"ChangeLogSettings", "d"},
    {"CheckDeploy", "d"},
    {"CheckSchedules", "rd"},
    {"CreateAlias", "d"},
    {"CreateCodeSigningConfig", "rid"},
    {"CreateEventSourceMapping", "rid"},
    {"CreateFunction", "d"},
    {"CreateFunctionUrlConfig", "d"},
    {"CreateKey", ""},
    {"DeclareSchedules", "d"},
    {"DeleteAlias", "d"},
    {"DeleteFunction", "d"},
    {"DeleteFunctionConcurrency", "d"},
    {"DeleteFunctionEventInvokeConfig", "d"},
    {"DeleteFunctionUrlConfig", "d"},
    {"DeleteSchedule", "d"},
    {"DeleteSecret", "d"},
    {"Deploy", "d"},
    {"GetAccountSettings", "rd"},
    {"GetAlias", "rd"},
    {"GetDoctor", "rd"},
    {"GetEnvironment", "rd"},
    {"GetEnvironmentValues", "d"},
    {"GetEvent", "rid"},
    {"GetEventPayload", "rd"},
    {"GetEventResult", "rid"},
    {"GetEventSettings", "rd"},
    {"GetFunction", "rd"},
    {"GetFunctionCodeSigningConfig", "rd"},
    {"GetFunctionConcurrency", "rd"},
    {"GetFunctionConfiguration", "rd"},
    {"GetFunctionEventInvokeConfig", "rd"},
    {"GetFunctionRecursionConfig", "rd"},
    {"GetFunctionStats", "rd"},
    {"GetFunctionUrlConfig", "rd"},
    {"GetLayerVersion", "rid"},
    {"GetLogs", "rd"},
    {"GetMetrics", "rd"},
    {"GetPolicy", "rd"},
    {"GetProvisionedConcurrencyConfig", "rd"},
    {"GetQueue", "rd"},
    {"GetRuntimeManagementConfig", "rd"},
    {"GetSchedule", "rd"},
    {"GetStats", "rd"},
    {"GetStatus", "rid"},
    {"GetTrace", "rd"},
    {"GetWebhookSecret", "d"},
    {"InvokeAsync", "i"},
    {"InvokeFunction", "i"},
    {"InvokeWithResponseStream", "rid"},
    {"ListAliases", "rd"},
    {"ListAudit", ""},
    {"ListCodeSigningConfigs", "rd"},
    {"ListEventSourceMappings", "rd"},
    {"ListEvents", "rd"},
    {"ListFunctionEventInvokeConfigs", "rd"},
    {"ListFunctionUrlConfigs", "rd"},
    {"ListFunctions", "rd"},
    {"ListKeys", ""},
    {"ListLayerVersions", "rd"},
    {"ListLayers", "rd"},
    {"ListProvisionedConcurrencyConfigs", "rd"},
    {"ListSchedules", "rd"},
    {"ListSecrets", "rd"},
    {"ListTags", "rd"},
    {"ListTraces", "rd"},
    {"ListVersionsByFunction", "rd"},
    {"PauseSchedule", "d"},
    {"Promote", "d"},
    {"PublishVersion", "d"},
    {"PurgeEvents", "d"},
    {"PutFunctionConcurrency", "d"},
    {"PutFunctionEventInvokeConfig", "d"},
    {"PutFunctionRecursionConfig", "rid"},
    {"PutProvisionedConcurrencyConfig", "rid"},
    {"PutRuntimeManagementConfig", "rid"},
    {"PutSchedule", "d"},
    {"PutSecret", "d"},
    {"RedriveEvent", "id"},
    {"RedriveEvents", "id"},
    {"ResumeSchedule", "d"},
    {"RevokeKey", ""},
    {"Rollback", "d"},
    {"RunSchedule", "id"},
    {"TagResource", "d"},
    {"UntagResource", "d"},
    {"UpdateAlias", "d"},
    {"UpdateFunctionCode", "d"},
    {"UpdateFunctionConfiguration", "d"},
    {"UpdateFunctionEventInvokeConfig", "d"},
    {"UpdateFunctionUrlConfig", "d"},
    {"VerifyAudit", ""},
};
// For keys of all functions alone.
const std::set<std::string> kWhole = {"CreateKey", "GetMetrics", "ListKeys",
                                      "RevokeKey", "ListAudit",  "VerifyAudit"};
// Whose answer does not depend on which function somebody may see, or shows no others.
const std::set<std::string> kOfNone = {"AddPermission",
                                       "GetDoctor",
                                       "CheckSchedules",
                                       "CreateCodeSigningConfig",
                                       "CreateEventSourceMapping",
                                       "GetAccountSettings",
                                       "GetLayerVersion",
                                       "GetStatus",
                                       "InvokeWithResponseStream",
                                       "ListCodeSigningConfigs",
                                       "ListEventSourceMappings",
                                       "ListLayerVersions",
                                       "ListLayers",
                                       "PutFunctionRecursionConfig",
                                       "PutProvisionedConcurrencyConfig",
                                       "PutRuntimeManagementConfig"};

// What is called by another method than GET and changes nothing: calls, checks, what is refused.
const std::set<std::string> kNoChange = {"AddPermission",
                                         "CheckDeploy",
                                         "CheckSchedules",
                                         "CreateCodeSigningConfig",
                                         "CreateEventSourceMapping",
                                         "GetLayerVersion",
                                         "InvokeAsync",
                                         "InvokeFunction",
                                         "InvokeWithResponseStream",
                                         "PutFunctionRecursionConfig",
                                         "PutProvisionedConcurrencyConfig",
                                         "PutRuntimeManagementConfig"};

constexpr const char* kScopeNames[] = {"read", "invoke", "deploy", "admin"};

class AccessTable : public ApiTest {
 public:
  AccessTable() {
    deployer_.script = [](deploy::Progress&,
                          deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
      co_return fail(ErrorCode::invalid, "not here");
    };
    for (const char* scope : kScopeNames) {
      keys_of_[scope] = {make_key(std::string(scope) + "-all", scope),
                         make_key(std::string(scope) + "-right", scope, {"other", "gre?t*"}),
                         make_key(std::string(scope) + "-wrong", scope, {"other*", "?"})};
    }
  }

  struct OfScope {
    store::KeyPtr all, right, wrong;
  };

  void make_function_again() {
    if (!catalog_->snapshot()->functions.contains("greet")) add_function("greet");
  }
  std::string make_event() {
    make_function_again();
    auto request = asking(keys_of_["admin"].all, "POST", "/2015-03-31/functions/greet/invocations");
    request.headers.add("X-Amz-Invocation-Type", "Event");
    const auto asked = ask(std::move(request), "{}");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 202u);
    return std::string(asked->writer.sent->headers.get("x-amzn-RequestId"));
  }

  std::string path_of(const OperationRouter::Route& route) {
    const bool of_event = route.rule.subject() == Subject::event;
    std::string path;
    bool first = true;
    for (const auto& segment : route.segments) {
      if (segment != "*") {
        path += "/" + segment;
        continue;
      }
      if (!first) {
        path += "/x";
      } else if (of_event) {
        path += "/" + make_event();
      } else if (path == "/2017-03-31/tags") {
        path += "/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Agreet";
      } else {
        path += "/greet";
      }
      first = false;
    }
    if (!route.when_query.empty()) return path + "?" + route.when_query + "=ALL";
    const auto subject = route.rule.subject();
    return subject == Subject::query || subject == Subject::owner ? path + "?function=greet" : path;
  }

  bool denied(const OperationRouter::Route& route, const store::KeyPtr& key) {
    make_function_again();
    auto request = asking(key, route.method, path_of(route));
    request.headers.add("X-Lambda-Settings", base64_encode(R"({"source":"zip"})"));
    const bool of_body = route.rule.subject() == Subject::body;
    const auto asked = ask(std::move(request), of_body ? R"({"FunctionName":"greet","Role":"r",
        "Code":{"ZipFile":"AAAA"},"Runtime":"python3.11","Handler":"a.b"})"
                                                       : "{}");
    finish(*asked);
    if (!asked->writer.sent || asked->writer.sent->status != 403) return false;
    EXPECT_EQ(asked->writer.sent->headers.get("x-amzn-ErrorType"), "AccessDeniedException");
    EXPECT_NE(asked->writer.sent->body.find("not authorized to perform: lambda:" +
                                            route.rule.operation()),
              std::string::npos)
        << asked->writer.sent->body;
    return true;
  }

  OperationRouter router_;
  std::map<std::string, OfScope> keys_of_;
};

TEST_F(AccessTable, EveryOperationWithEveryScopeAndPattern) {
  for (const auto& route : router_.routes()) {
    if (!route.rule.needs_key()) continue;
    const auto& operation = route.rule.operation();
    const auto may = kMay.find(operation);
    ASSERT_NE(may, kMay.end()) << operation << " is not in this table";
    for (const auto& [scope, keys] : keys_of_) {
      const bool allowed = scope == "admin" || may->second.find(scope[0]) != std::string::npos;
      const auto what = fmt::format("{} {} with {}", route.method, operation, scope);
      EXPECT_EQ(denied(route, keys.all), !allowed) << what;
      EXPECT_EQ(denied(route, keys.right), !allowed || kWhole.contains(operation)) << what;
      const bool listing = route.rule.subject() == Subject::listing;
      const bool none = listing || kOfNone.contains(operation);
      EXPECT_EQ(denied(route, keys.wrong), !allowed || !none) << what;
    }
  }
}

// Apart from what the rules say: by the methods.
TEST_F(AccessTable, WhatIsNoLookIsAChangeOrIsNamedHere) {
  std::set<std::string> unchanging;
  for (const auto& route : router_.routes()) {
    const bool look = route.method == "GET" || route.method == "HEAD";
    const auto what = fmt::format("{} {}", route.method, route.rule.operation());
    EXPECT_FALSE(look && route.rule.changes()) << what;
    if (look || route.rule.changes()) continue;
    EXPECT_TRUE(kNoChange.contains(route.rule.operation())) << what;
    unchanging.insert(route.rule.operation());
  }
  EXPECT_EQ(unchanging, kNoChange);
}

TEST_F(AccessTable, EveryChangeStandsInTheAuditWhateverItComesToAndNothingElseDoes) {
  const auto key = keys_of_["admin"].all;
  std::int64_t newest = 0;
  // Those that have ended since the last time.
  const auto rows_since = [&] {
    std::vector<store::AuditRow> rows;
    const auto newest_entries = audit_->list({}).value();
    for (const auto& entry : newest_entries) {
      if (entry.row.seq > newest) rows.push_back(entry.row);
    }
    for (const auto& row : rows) newest = std::max(newest, row.seq);
    return rows;
  };
  std::size_t changes = 0;
  for (const auto& route : router_.routes()) {
    if (!route.rule.needs_key()) continue;
    const auto what = route.method + " " + route.rule.operation();
    make_function_again();
    auto request = asking(key, route.method, path_of(route));
    request.headers.add("X-Lambda-Settings", base64_encode(R"({"source":"zip"})"));
    (void)rows_since();
    finish(*ask(std::move(request), "{}"));
    const auto rows = rows_since();
    if (!route.rule.changes()) {
      EXPECT_TRUE(rows.empty()) << what;
      continue;
    }
    ++changes;
    ASSERT_EQ(rows.size(), 1u) << what;
    EXPECT_EQ(rows[0].operation, route.rule.operation());
    EXPECT_EQ(rows[0].actor, key->id) << what;
    EXPECT_NE(rows[0].status, 0) << what;
  }
  EXPECT_GT(changes, 30u);
  EXPECT_EQ(audit_->verify()->problem, "");
}

TEST_F(AccessTable, EveryOperationOfTheTableIsThere) {
  std::set<std::string> operations;
  for (const auto& route : router_.routes()) operations.insert(route.rule.operation());
  for (const auto& [operation, may] : kMay)
    EXPECT_TRUE(operations.contains(operation)) << operation;
}

TEST_F(AccessTable, ListsShowWhatAKeyIsFor) {
  add_function("greet");
  add_function("other-one");
  const auto names = [&](const store::KeyPtr& key, const char* path) {
    const auto asked = ask(asking(key, "GET", path), "");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 200u);
    std::string seen;
    for (const char* name : {"greet", "other-one"}) {
      if (asked->writer.sent->body.find(name) != std::string::npos) seen += name;
    }
    return seen;
  };
  const auto& keys = keys_of_["read"];
  for (const char* path : {"/2015-03-31/functions", "/2015-03-31/functions?FunctionVersion=ALL",
                           "/_lambda/functions"}) {
    EXPECT_EQ(names(keys.all, path), "greetother-one") << path;
    EXPECT_EQ(names(keys.right, path), "greet") << path;
    EXPECT_EQ(names(keys.wrong, path), "other-one") << path;
  }
  for (const char* name : {"greet", "other-one"}) {
    auto request = asking(keys_of_["admin"].all, "POST",
                          std::string("/_lambda/functions/") + name + "/invocations");
    request.headers.add("X-Amz-Invocation-Type", "Event");
    finish(*ask(std::move(request), "{}"));
    const auto asked = ask(asking(keys_of_["admin"].all, "PUT",
                                  std::string("/_lambda/functions/") + name + "/schedules/x"),
                           R"({"cron":"@hourly"})");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 200u) << asked->writer.sent->body;
  }
  for (const char* path : {"/_lambda/queue", "/_lambda/schedules"}) {
    EXPECT_EQ(names(keys.all, path), "greetother-one") << path;
    EXPECT_EQ(names(keys.right, path), "greet") << path;
  }
}

TEST_F(AccessTable, ALimitedKeyIsToldNoNameOfOthers) {
  add_function("secret");
  const auto key = make_key("s", "read", {"se*t", "sekret"});
  const auto other = make_key("o", "read", {"sekret"});
  const auto body = [&](const store::KeyPtr& holder) {
    const auto asked = ask(asking(holder, "GET", "/_lambda/functions/sekret"), "");
    finish(*asked);
    return asked->writer.sent->body;
  };
  EXPECT_NE(body(key).find("secret"), std::string::npos);
  EXPECT_EQ(body(other).find("secret"), std::string::npos);
}

TEST_F(AccessTable, ResultsGoToFunctionsOfTheKeyAlone) {
  add_function("greet");
  add_function("secret");
  const auto key = make_key("d", "deploy", {"gre*"});
  const std::string arn = "arn:aws:lambda:us-east-1:000000000000:function:secret";
  const auto config = R"({"DestinationConfig":{"OnSuccess":{"Destination":")" + arn + R"("}}})";
  const auto status = [&](const char* method, const std::string& path, const std::string& body,
                          const store::KeyPtr& holder) {
    const auto asked = ask(asking(holder, method, path), body);
    finish(*asked);
    return asked->writer.sent->status;
  };
  const std::string events = "/2019-09-25/functions/greet/event-invoke-config";
  EXPECT_EQ(status("PUT", events, config, key), 403u);
  EXPECT_EQ(
      status("POST", "/_lambda/functions/greet/deploy/check", R"({"events":)" + config + "}", key),
      403u);
  const auto letters = R"({"DeadLetterConfig":{"TargetArn":")" + arn + R"("}})";
  EXPECT_EQ(status("PUT", "/2015-03-31/functions/greet/configuration", letters, key), 403u);
  const auto admin = keys_of_["admin"].all;
  EXPECT_EQ(status("PUT", events, config, admin), 200u);
  EXPECT_EQ(status("PUT", "/2015-03-31/functions/greet/configuration", letters, admin), 200u);
}

TEST_F(AccessTable, ImagesAreDeployedByTheirNameWithKeysOfAllFunctionsAlone) {
  add_function("greet");
  const auto limited = make_key("l", "deploy", {"*"});
  const auto whole = keys_of_["deploy"].all;
  const auto answer = [&](const store::KeyPtr& holder, const char* method, const std::string& path,
                          const std::string& body, const std::string& settings = {}) {
    auto request = asking(holder, method, path);
    if (!settings.empty()) request.headers.add("X-Lambda-Settings", base64_encode(settings));
    const auto asked = ask(std::move(request), body);
    finish(*asked);
    return *asked->writer.sent;
  };
  const std::string create =
      R"({"FunctionName":"image","PackageType":"Image","Role":"arn:aws:iam::000000000000:role/r",
          "Code":{"ImageUri":"func-secret:1"}})";
  const std::string deploy = "/_lambda/functions/other/deploy";
  const std::string by_name = R"({"source":"image","image":"func-secret:1"})";
  const auto refused = answer(limited, "POST", "/2015-03-31/functions", create);
  EXPECT_EQ(refused.status, 403u);
  EXPECT_NE(refused.body.find("an image of this machine may hold others' code"), std::string::npos);
  EXPECT_FALSE(image_driver_);
  EXPECT_EQ(answer(limited, "POST", deploy + "/check", R"({"settings":)" + by_name + "}").status,
            403u);
  EXPECT_EQ(answer(limited, "POST", deploy, "", by_name).status, 403u);
  EXPECT_FALSE(deployer_.limited);
  EXPECT_EQ(answer(limited, "POST", deploy, "", R"({"source":"context"})").status, 400u);
  EXPECT_EQ(deployer_.limited, true);

  EXPECT_EQ(answer(whole, "POST", deploy + "/check", R"({"settings":)" + by_name + "}").status,
            200u);
  EXPECT_EQ(answer(whole, "POST", deploy, "", by_name).status, 400u);
  EXPECT_EQ(deployer_.limited, false);
  EXPECT_EQ(answer(whole, "POST", "/2015-03-31/functions", create).status, 201u);
  const std::string code = "/2015-03-31/functions/image/code";
  EXPECT_EQ(answer(limited, "PUT", code, R"({"ImageUri":"func-secret:1"})").status, 403u);
  EXPECT_EQ(answer(whole, "PUT", code, R"({"ImageUri":"func-secret:1"})").status, 200u);
}

}  // namespace
}  // namespace lambda::api
