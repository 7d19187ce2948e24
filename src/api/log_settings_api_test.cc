#include "api/log_settings_api.h"

#include "api/api_fixture.h"
#include "api/deploy_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::api {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Result<function::LogSettingsChange> read(const char* text) {
  return read_log_settings(boost::json::parse(text).get_object());
}

TEST(LogSettingsRequest, WhatIsAbsentStaysAndNullGoesBackToTheServer) {
  function::LogSettings settings;
  const auto apply = [&settings](const char* text) { read(text)->apply_to(settings); };
  apply(R"({"size":8,"age":3600})");
  EXPECT_EQ(settings.size_mb, 8);
  EXPECT_EQ(settings.age, 3600s);
  apply("{}");
  EXPECT_EQ(settings.size_mb, 8);
  apply(R"({"size":null})");
  EXPECT_EQ(settings.size_mb, std::nullopt);
  EXPECT_EQ(settings.age, 3600s);
  apply(R"({"age":0})");
  EXPECT_EQ(settings.age, 0s);
}

TEST(LogSettingsRequest, WhatIsOutOfRangeIsRefusedWithWhatMayBe) {
  for (const auto& [text, words] :
       {std::pair(R"({"size":0})", "1 to 10240 MB, not 0"),
        {R"({"size":10241})", "1 to 10240 MB, not 10241"},
        {R"({"age":59})", "60 seconds to 315360000 (ten years)"},
        {R"({"age":-1})", "not for -1"},
        {R"({"age":315360001})", "not for 315360001"},
        {R"({"size":"8MB"})", "size must be a whole number"},
        {R"({"days":1})", "no setting \"days\"; it has size (MB) and age (seconds)"}}) {
    const auto refused = read(text);
    ASSERT_FALSE(refused) << text;
    EXPECT_THAT(refused.error().message(), HasSubstr(words)) << text;
  }
}

TEST(LogSettingsRequest, ADeployTakesThemToo) {
  const auto request = [](const char* text) {
    return read_deploy_request("greet", boost::json::parse(text).get_object());
  };
  EXPECT_EQ(request(R"({"source":"zip","logs":{"size":8}})")->logs.size_mb, 8);
  EXPECT_FALSE(request(R"({"source":"zip"})")->logs.size_mb);
  EXPECT_THAT(request(R"({"source":"zip","logs":{"size":0}})").error().message(),
              HasSubstr("logs: a function's log is kept to"));
}

class LogSettingsApi : public ApiTest {
 protected:
  LogSettingsApi() {
    key_ = make_key("d", "deploy");
    add_function("greet");
  }
  boost::json::object reply(const char* method, const char* path, const std::string& body,
                            unsigned status = 200) {
    const auto asked = ask(asking(key_, method, path), body);
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, status) << asked->writer.sent->body;
    return boost::json::parse(asked->writer.sent->body).get_object();
  }
  std::string logs(const boost::json::object& reply) {
    return boost::json::serialize(reply.at("logs"));
  }
  store::KeyPtr key_;
};

TEST_F(LogSettingsApi, AreSetShownAndGivenBack) {
  EXPECT_EQ(logs(reply("GET", "/_lambda/functions/greet", "")), R"({"size":64,"age":0,"own":[]})");
  const char* path = "/_lambda/functions/greet/log-settings";
  EXPECT_EQ(logs(reply("PUT", path, R"({"size":8,"age":3600})")),
            R"({"size":8,"age":3600,"own":["size","age"]})");
  EXPECT_EQ(logs(reply("PUT", path, R"({"size":null})")),
            R"({"size":64,"age":3600,"own":["age"]})");
  EXPECT_EQ(logs(reply("GET", "/_lambda/functions/greet/versions", "")),
            R"({"size":64,"age":3600,"own":["age"]})");
  reply("PUT", path, R"({"size":0})", 400);
  reply("PUT", "/_lambda/functions/nobody/log-settings", R"({"size":8})", 404);
  EXPECT_EQ(catalog_->resolve("greet", "")->function->logs.age, 3600s);
}

}  // namespace
}  // namespace lambda::api
