// What the audit says of a change: enough to know what was changed, and no value.
#include "api/api_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace lambda::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class AuditNotes : public ApiTest {
 public:
  AuditNotes() { add_function("greet"); }

  // Of the newest change, after this one.
  std::string note(std::string method, std::string path, std::string body, unsigned status,
                   const std::string& settings = {}) {
    auto request = asking(key_, std::move(method), std::move(path));
    if (!settings.empty()) request.headers.add("X-Lambda-Settings", base64_encode(settings));
    const auto asked = ask(std::move(request), std::move(body));
    finish(*asked);
    if (asked->writer.sent) {
      EXPECT_EQ(asked->writer.sent->status, status) << asked->writer.sent->body;
    }
    return audit_->list({}).value().at(0).row.note;
  }

  store::KeyPtr key_ = make_key("deployer", "deploy");
};

TEST_F(AuditNotes, NameTheVariablesThatWereChangedAndNoValue) {
  const std::string path = "/2015-03-31/functions/greet/configuration";
  EXPECT_EQ(note("PUT", path, R"({"Environment":{"Variables":{"AA":"1","BB":"hunter2"}}})", 200),
            "Environment: set AA, BB");
  EXPECT_EQ(
      note("PUT", path,
           R"({"Description":"x","Environment":{"Variables":{"AA":"1","CC":"hunter3"}}})", 200),
      "Description, Environment: set CC, unset BB");
  EXPECT_EQ(note("PUT", path, R"({"Environment":{"Variables":{"AA":"1","CC":"hunter3"}}})", 200),
            "Environment");
  EXPECT_EQ(note("PUT", path, R"({"Timeout":9})", 200), "Timeout");
  const auto made = note("POST", "/2015-03-31/functions",
                         R"({"FunctionName":"image","PackageType":"Image","Code":{"ImageUri":"i:1"},
                             "Role":"arn:aws:iam::000000000000:role/r",
                             "Environment":{"Variables":{"PASSWORD":"hunter2"}}})",
                         201);
  EXPECT_THAT(made, StartsWith("sha256 "));
  EXPECT_THAT(made, HasSubstr(": set PASSWORD"));
  EXPECT_THAT(made, Not(HasSubstr("hunter")));
  // What was tried is told of what failed, too.
  EXPECT_EQ(note("PUT", "/_lambda/functions/greet/environment",
                 R"({"set":{"COLOR":"hunter2"},"unset":["SIZE"]})", 500),
            "set COLOR, unset SIZE");
}

TEST_F(AuditNotes, OfADeployTellWhoMayCallItAndWhichVariablesAreOthers) {
  deployer_.script = [](deploy::Progress&,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    deploy::DeployReport report;
    auto version = std::make_shared<function::Version>();
    version->function = "greet";
    version->number = 3;
    report.version = std::move(version);
    report.variables.set = {"COLOR"};
    report.variables.unset = {"SIZE"};
    co_return report;
  };
  const std::string path = "/_lambda/functions/greet/deploy";
  EXPECT_EQ(note("POST", path, "", 200, R"({"source":"zip","url":"open"})"),
            "version 3, url open: set COLOR, unset SIZE");
  EXPECT_EQ(note("POST", path, "", 200, R"({"source":"zip"})"), "version 3: set COLOR, unset SIZE");
}

TEST_F(AuditNotes, SayWhoMayCallAUrlWhichTagsAndWhichSchedules) {
  const std::string url = "/2021-10-31/functions/greet/url";
  EXPECT_EQ(note("POST", url, R"({"AuthType":"AWS_IAM"})", 201), "AuthType: AWS_IAM");
  EXPECT_EQ(note("PUT", url, R"({"AuthType":"NONE"})", 200), "AuthType: NONE");
  const std::string tags =
      "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Agreet";
  EXPECT_EQ(note("POST", tags, R"({"Tags":{"team":"blue","cost":"7"}})", 204), "team, cost");
  EXPECT_EQ(note("DELETE", tags + "?tagKeys=team&tagKeys=cost", "", 204), "team, cost");
  const std::string schedules = "/_lambda/functions/greet/schedules";
  EXPECT_EQ(note("PUT", schedules, R"({"schedules":[{"name":"nightly","cron":"@daily"}]})", 200),
            "nightly created");
  EXPECT_EQ(note("PUT", schedules, R"({"schedules":[]})", 200), "nightly removed");
}

TEST_F(AuditNotes, SayWhichFunctionGetsResults) {
  add_function("other");
  const std::string path = "/2019-09-25/functions/greet/event-invoke-config";
  EXPECT_EQ(note("PUT", path, R"({"MaximumRetryAttempts":1,"DestinationConfig":{"OnFailure":
                {"Destination":"arn:aws:lambda:us-east-1:000000000000:function:other"}}})",
                 200),
            "MaximumRetryAttempts, DestinationConfig; OnFailure other");
  EXPECT_EQ(note("POST", path, R"({"MaximumRetryAttempts":0})", 200), "MaximumRetryAttempts");
}

TEST_F(AuditNotes, NameAKeyThatWasNotMade) {
  key_ = make_key("boss", "admin");
  EXPECT_EQ(note("POST", "/_lambda/keys", R"({"name":"ci","scopes":["write"]})", 400),
            "key \"ci\"");
}

TEST_F(AuditNotes, ThatAreTooLongSayThatTheyAreCut) {
  std::string variables;
  for (int i = 0; i < 200; ++i)
    variables += fmt::format(R"({}"VARIABLE_{}":"x")", i == 0 ? "" : ",", i);
  const auto text = note("PUT", "/2015-03-31/functions/greet/configuration",
                         R"({"Environment":{"Variables":{)" + variables + "}}}", 200);
  EXPECT_GT(text.size(), 900u);
  EXPECT_LT(text.size(), 1'100u);
  EXPECT_TRUE(text.ends_with(" ..."));
}

}  // namespace
}  // namespace lambda::api
