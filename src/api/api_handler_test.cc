// The control API as a whole, without sockets: what may keep a loop from its other requests.
#include "api/api_handler.h"

#include "access/sigv4.h"
#include "api/api_fixture.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>

#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace lambda::api {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class ApiHandlerTest : public ApiTest {};

TEST_F(ApiHandlerTest, TellsTheMetricsToWhoHasAKey) {
  http::Request request;
  request.method = "GET";
  request.target = "/metrics?name=x";
  const auto nobody = ask(request, "");
  finish(*nobody);
  EXPECT_EQ(nobody->writer.sent->status, 403u);
  const auto key = make_key("test", "read");
  request.headers.add("Authorization", "Bearer " + key->token());
  const auto somebody = ask(request, "");
  finish(*somebody);
  EXPECT_EQ(somebody->writer.sent->status, 200u);
  EXPECT_EQ(somebody->writer.sent->body, "lambda_functions 1\n");
  EXPECT_EQ(somebody->writer.sent->headers.get("Content-Type"),
            "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(ApiHandlerTest, TellsTheMetricsToEverybodyWhereTheyAreOpen) {
  metrics_open_ = true;
  handler_ = std::make_unique<ApiHandler>(services(), *authenticator_);
  http::Request request;
  request.method = "GET";
  request.target = "/metrics";
  const auto metrics = ask(request, "");
  finish(*metrics);
  EXPECT_EQ(metrics->writer.sent->status, 200u);
  request.target = "/_lambda/stats";
  const auto stats = ask(request, "");
  finish(*stats);
  EXPECT_EQ(stats->writer.sent->status, 403u);
}

TEST_F(ApiHandlerTest, KnowsNoStatsOfAFunctionThatThereIsNot) {
  const auto key = make_key("test", "read");
  http::Request request;
  request.method = "GET";
  request.target = "/_lambda/functions/nobody/stats";
  request.headers.add("Authorization", "Bearer " + key->token());
  const auto asked = ask(request, "");
  finish(*asked);
  EXPECT_EQ(asked->writer.sent->status, 404u);
  EXPECT_THAT(asked->writer.sent->body, HasSubstr("nobody"));
}

TEST_F(ApiHandlerTest, RefusesMetricsWhereTooManyAreAnswered) {
  metrics_.busy = true;
  const auto key = make_key("test", "read");
  for (const char* path : {"/metrics", "/_lambda/stats"}) {
    http::Request request;
    request.method = "GET";
    request.target = path;
    request.headers.add("Authorization", "Bearer " + key->token());
    const auto asked = ask(request, "");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 429u) << path;
  }
}

TEST_F(ApiHandlerTest, ParsesALargeBodyBesideTheLoop) {
  const auto key = make_key("test", "admin");
  keep_disk_busy();
  const auto check = asking(key, "POST", "/_lambda/schedules/check");
  const auto small = ask(check, "[]");
  EXPECT_TRUE(small->ended);
  const auto large = ask(check, "[" + with_code(1'000'000) + "]");
  EXPECT_FALSE(large->ended);
  release();
  finish(*large);
  EXPECT_EQ(large->writer.sent->status, 400u);
  EXPECT_THAT(large->writer.sent->body, HasSubstr("it is not a JSON object"));
}

TEST_F(ApiHandlerTest, ChecksTheSignatureOfALargeBodyBesideTheLoop) {
  const auto key = make_key("test", "admin");
  const auto sign = [&](const std::string& body) {
    access::Signature signature;
    signature.key_id = key->id;
    signature.date = "20260102";
    signature.region = "us-east-1";
    signature.service = "lambda";
    signature.time = "20260102T030405Z";
    signature.signed_headers = {"host"};
    http::Request request;
    request.method = "PUT";  // no operation: whoever is known is told so
    request.target = "/2015-03-31/functions";
    http::Request as_sent = request;
    as_sent.headers.add("Host", "localhost");
    const auto text = string_to_sign(signature, canonical_request(as_sent, signature, body));
    const auto value = hex_encode(hmac_sha256(signing_key(signature, key->secret), text));
    request.headers.add("X-Amz-Date", signature.time);
    request.headers.add("Authorization",
                        "AWS4-HMAC-SHA256 Credential=" + key->id +
                            "/20260102/us-east-1/lambda/aws4_request, SignedHeaders=host, "
                            "Signature=" +
                            value);
    return request;
  };
  keep_disk_busy();
  const auto small = ask(sign("{}"), "{}");
  ASSERT_TRUE(small->ended);
  EXPECT_THAT(small->writer.sent->body, HasSubstr("PUT is not possible here"));
  const auto body = with_code(1'000'000);
  const auto large = ask(sign(body), body);
  EXPECT_FALSE(large->ended);
  release();
  finish(*large);
  EXPECT_THAT(large->writer.sent->body, HasSubstr("PUT is not possible here"));
}

TEST_F(ApiHandlerTest, AnImageIsMadeReadyForTheDriverThatTheFunctionRemembers) {
  const auto key = make_key("test", "admin");
  const auto made = ask(create_function(key), R"({"FunctionName":"greet","PackageType":"Image",
      "Role":"arn:aws:iam::000000000000:role/r","Code":{"ImageUri":"image:1"}})");
  finish(*made);
  ASSERT_EQ(made->writer.sent->status, 201u) << made->writer.sent->body;
  EXPECT_EQ(image_driver_, function::DriverName::docker);
  EXPECT_EQ(catalog_->resolve("greet", "")->version->configuration.driver,
            function::DriverName::docker);
  auto to_native = [](function::Configuration settings) -> Result<function::Configuration> {
    settings.driver = function::DriverName::native;
    return settings;
  };
  ASSERT_TRUE(catalog_->update_configuration("greet", to_native, ""));
  auto request = create_function(key);
  request.method = "PUT";
  request.target = "/2015-03-31/functions/greet/code";
  const auto updated = ask(std::move(request), R"({"ImageUri":"image:1"})");
  finish(*updated);
  ASSERT_EQ(updated->writer.sent->status, 200u) << updated->writer.sent->body;
  EXPECT_EQ(image_driver_, function::DriverName::native);
  EXPECT_EQ(catalog_->resolve("greet", "")->version->configuration.driver,
            function::DriverName::native);
}

TEST_F(ApiHandlerTest, EventsAndSchedulesOfNoFunctionAreRefusedWithTheNameThatWasMeant) {
  add_function("greet");
  const auto refusal = [&](const std::string& target) {
    http::Request request;
    request.method = "GET";
    request.target = "/_lambda/" + target;
    request.peer.unix_uid = 0;
    const auto asked = ask(std::move(request), "");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 404u);
    const auto body = boost::json::parse(asked->writer.sent->body).as_object();
    return std::string(body.at("message").as_string());
  };
  for (const char* target :
       {"queue?function=gret", "functions/gret/events", "functions/gret/schedules"}) {
    EXPECT_EQ(refusal(target), R"(there is no function "gret"; did you mean "greet"?)") << target;
  }
  EXPECT_EQ(refusal("queue?function=nobody"),
            R"(there is no function "nobody"; `lambda list` shows those that there are)");
  EXPECT_EQ(refusal("functions/nobody/events"),
            R"(there is no function "nobody"; `lambda list` shows those that there are)");
  EXPECT_EQ(refusal("functions/nobody/schedules"),
            R"(there is no function "nobody"; `lambda list` shows those that there are)");
}

http::Request deploy_request() {
  http::Request request;
  request.method = "POST";
  request.target = "/_lambda/functions/greet/deploy";
  request.headers.add("X-Lambda-Settings", base64_encode(R"({"source":"zip"})"));
  request.peer.unix_uid = 0;
  return request;
}

TEST_F(ApiHandlerTest, ADeployThatFallsLeavesNoWriterBehind) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    progress.begin_step(1, "Receiving");
    co_await sleep_for(0ms);
    throw std::runtime_error("no more room");
  };
  const auto deploy = ask(deploy_request(), "", true);
  loop_.restart();
  loop_.run_for(50ms);
  EXPECT_TRUE(deploy->writer.begun);
  EXPECT_FALSE(deploy->ended);  // a line is still being written
  deploy->writer.may_go_on.set();
  finish(*deploy);
  EXPECT_TRUE(deploy->thrown);
  EXPECT_THAT(deploy->writer.written, HasSubstr("Receiving"));
  EXPECT_FALSE(deploy->writer.finished);
}

TEST_F(ApiHandlerTest, ADeploysLinesAreTextWhateverTheFunctionWrote) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure& failure) -> Task<Result<deploy::DeployReport>> {
    progress.output("built \xC3");
    failure.log =
        "gr\xFC\xDF"
        "e \xE2\x82";
    failure.function_payload = "{\"errorMessage\":\"\xFF\"}";
    co_return fail(ErrorCode::function_failed, "it wrote {}", "\xC0");
  };
  const auto deploy = ask(deploy_request(), "");
  finish(*deploy);
  EXPECT_TRUE(is_valid_utf8(deploy->writer.written));
  std::istringstream lines(deploy->writer.written);
  std::string line;
  boost::json::object last;
  while (std::getline(lines, line)) last = boost::json::parse(line).as_object();
  EXPECT_EQ(last.at("event"), "error");
  EXPECT_EQ(last.at("log"),
            "gr\xEF\xBF\xBD\xEF\xBF\xBD"
            "e \xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(ApiHandlerTest, AChattyBuildFillsNoMemoryForASlowClient) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    progress.begin_step(2, "Building");
    for (int i = 0; i < 1000; ++i) progress.output(std::string(64 * 1024, 'x'));
    progress.end_step(2, "Done.");
    co_await sleep_for(0ms);
    co_return fail(ErrorCode::function_failed, "it did not load");
  };
  const auto deploy = ask(deploy_request(), "", true);
  loop_.restart();
  loop_.run_for(50ms);
  deploy->writer.may_go_on.set();
  finish(*deploy);
  const auto& written = deploy->writer.written;
  EXPECT_LT(written.size(), 5u << 20);
  EXPECT_GT(written.size(), 3u << 20);
  EXPECT_THAT(written, HasSubstr("bytes of output are left out here"));
  EXPECT_LT(written.find("left out here"), written.find("\"end\""));
  EXPECT_THAT(written.substr(written.size() - 300), HasSubstr("it did not load"));
}

TEST_F(ApiHandlerTest, KnowsWhoIsOnTheSocketWhileTheDiskIsBusy) {
  keep_disk_busy();
  http::Request request;
  request.method = "GET";
  request.target = "/_lambda/status";
  for (const std::uint32_t uid : {0u, static_cast<std::uint32_t>(::geteuid())}) {
    request.peer.unix_uid = uid;
    const auto known = ask(request, "");
    ASSERT_TRUE(known->ended);
    EXPECT_EQ(known->writer.sent->status, 200u);
  }
  request.peer.unix_uid = 4'000'000'000;  // nobody has that one
  const auto stranger = ask(request, "");
  finish(*stranger);
  EXPECT_EQ(stranger->writer.sent->status, 403u);
  EXPECT_THAT(stranger->writer.sent->body, HasSubstr("the user with id 4000000000"));
}

// What the audit has of a function, oldest first: "Operation status error note; ".
std::string told(store::AuditTable& audit) {
  std::string text;
  auto entries = *audit.list({});
  for (auto at = entries.rbegin(); at != entries.rend(); ++at) {
    const auto& row = at->row;
    text += row.operation + " " + (at->finished ? std::to_string(row.status) : "?") +
            (row.error.empty() ? "" : " " + row.error) + (row.note.empty() ? "" : " " + row.note) +
            "; ";
  }
  return text;
}

TEST_F(ApiHandlerTest, WhatIsChangedStandsInTheAuditAndWhatIsLookedAtDoesNot) {
  const auto key = make_key("test", "admin");
  add_function("greet");
  const auto send = [&](const char* method, const char* path, const char* body) {
    const auto asked = ask(asking(key, method, path), body);
    finish(*asked);
    return asked->writer.sent->status;
  };
  EXPECT_EQ(send("GET", "/_lambda/functions/greet", ""), 200u);
  EXPECT_EQ(told(*audit_), "");
  EXPECT_EQ(send("PUT", "/_lambda/functions/greet/url", R"({"auth":"key"})"), 200u);
  EXPECT_EQ(send("PUT", "/_lambda/functions/greet/url", R"({"auth":"x"})"), 400u);
  EXPECT_EQ(send("DELETE", "/2015-03-31/functions/greet/aliases/none", ""), 204u);
  EXPECT_EQ(send("POST", "/_lambda/keys", R"({"name":"ci","scopes":["read"]})"), 201u);
  EXPECT_THAT(told(*audit_),
              HasSubstr("UpdateFunctionUrlConfig 200 auth key; UpdateFunctionUrlConfig 400 "
                        "InvalidParameterValueException auth x; DeleteAlias 204 none; "
                        "CreateKey 201 key "));
  const auto entry = audit_->list({})->front();
  EXPECT_EQ(entry.row.actor, key->id);
  EXPECT_EQ(entry.row.name, "test");
  EXPECT_EQ(entry.row.kind, "key");
  EXPECT_EQ(audit_->verify()->problem, "");
}

TEST_F(ApiHandlerTest, TheAuditIsShortTextWhateverIsNamed) {
  const auto key = make_key("test", "admin");
  add_function("greet");
  const auto target = "/2015-03-31/functions/greet/aliases/%1B%5B31m%FF" + std::string(5000, 'a');
  finish(*ask(asking(key, "DELETE", target), ""));
  const auto note = audit_->list({})->front().row.note;
  EXPECT_TRUE(
      note.starts_with("?[31m\xEF\xBF\xBD"
                       "aaa"))
      << note;
  EXPECT_LE(note.size(), 210u);
  const auto shown = ask(asking(key, "GET", "/_lambda/audit"), "");
  finish(*shown);
  EXPECT_TRUE(is_valid_utf8(shown->writer.sent->body));
}

TEST_F(ApiHandlerTest, ADeploysEndStandsInTheAudit) {
  deployer_.script = [](deploy::Progress& progress,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    progress.begin_step(1, "Receiving");
    co_return fail(ErrorCode::function_failed, "it did not load");
  };
  finish(*ask(deploy_request(), ""));
  EXPECT_EQ(told(*audit_), "Deploy 400 InvalidParameterValueException; ");
  EXPECT_EQ(audit_->list({})->front().row.kind, "user");
  EXPECT_EQ(audit_->list({})->front().row.actor, "root");
  deployer_.script = [](deploy::Progress&,
                        deploy::DeployFailure&) -> Task<Result<deploy::DeployReport>> {
    throw std::runtime_error("no more room");
    co_return fail(ErrorCode::internal, "never");
  };
  finish(*ask(deploy_request(), ""));
  EXPECT_EQ(audit_->list({})->front().row.status, 500);
}

TEST_F(ApiHandlerTest, WhatCannotBeAuditedIsNotDone) {
  const auto key = make_key("test", "admin");
  add_function("greet");
  const auto take_away = [](SQLite::Database& connection) { connection.exec("DROP TABLE audit"); };
  ASSERT_TRUE(database_->change("take the audit away", take_away));
  const auto refused = ask(asking(key, "DELETE", "/2015-03-31/functions/greet"), "");
  finish(*refused);
  EXPECT_EQ(refused->writer.sent->status, 503u);
  EXPECT_THAT(refused->writer.sent->body, HasSubstr("no change is made without its row"));
  EXPECT_TRUE(catalog_->snapshot()->functions.contains("greet"));
  const auto read = ask(asking(key, "GET", "/_lambda/functions/greet"), "");
  finish(*read);
  EXPECT_EQ(read->writer.sent->status, 200u);
}

TEST_F(ApiHandlerTest, RefusedAttemptsStandInTheAuditAndCannotFloodIt) {
  const auto key = make_key("reader", "read");
  add_function("greet");
  const auto try_to = [&] {
    const auto asked = ask(asking(key, "DELETE", "/2015-03-31/functions/greet"), "");
    finish(*asked);
    EXPECT_EQ(asked->writer.sent->status, 403u);
  };
  for (int i = 0; i < AuditTrail::kRefusedAMinute + 7; ++i) try_to();
  store::AuditTable::Query all;
  all.limit = 1000;
  EXPECT_EQ(audit_->list(all)->size(), static_cast<std::size_t>(AuditTrail::kRefusedAMinute));
  EXPECT_EQ(audit_->list(all)->front().row.error, "AccessDeniedException");
  EXPECT_EQ(audit_->list(all)->front().row.function, "greet");
  clock_.advance(1min);
  try_to();
  EXPECT_THAT(audit_->list(all)->front().row.note, HasSubstr("7 more refused attempts"));
}

}  // namespace
}  // namespace lambda::api
