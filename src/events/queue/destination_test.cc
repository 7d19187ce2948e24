#include "events/queue/destination.h"

#include "store/database.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace lambda::events {
namespace {

namespace json = boost::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const WallTime kFailedAt{std::chrono::milliseconds(1'767'323'045'678)};
constexpr const char* kArn = "arn:aws:lambda:us-east-1:000000000000:function:work:$LATEST";

ClaimedEvent event_of(std::string payload) {
  ClaimedEvent event;
  event.event.id = "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01";
  event.event.function = "work";
  event.event.payload = std::move(payload);
  return event;
}

Verdict failure(std::string message = "no") {
  Verdict verdict;
  verdict.state = EventState::dead;
  verdict.condition = Condition::retries_exhausted;
  verdict.failure.attempts = 3;
  verdict.failure.error_type = "ValueError";
  verdict.failure.error_message = std::move(message);
  verdict.failure.executed_version = "$LATEST";
  verdict.failure.payload = R"({"errorMessage":"no","errorType":"ValueError"})";
  return verdict;
}

json::value parsed(const std::string& text) {
  return json::parse(text);
}

TEST(DestinationRecord, OfASuccessHasAwssShape) {
  Verdict verdict;
  verdict.success.payload = R"({"sum":3})";
  verdict.success.executed_version = "$LATEST";
  auto event = event_of(R"({"a":1})");
  event.attempts = 1;
  EXPECT_EQ(parsed(destination_record(event, verdict, kArn, kFailedAt)), parsed(R"({
    "version": "1.0", "timestamp": "2026-01-02T03:04:05.678Z",
    "requestContext": {"requestId": "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01",
      "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:work:$LATEST",
      "condition": "Success", "approximateInvokeCount": 2},
    "requestPayload": {"a": 1},
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
    "responsePayload": {"sum": 3}})"));
}

TEST(DestinationRecord, OfAFailureSaysSo) {
  const auto record = parsed(destination_record(event_of("[1]"), failure(), kArn, kFailedAt));
  EXPECT_EQ(record.at("requestContext").at("condition"), "RetriesExhausted");
  EXPECT_EQ(record.at("requestContext").at("approximateInvokeCount"), 3);
  EXPECT_EQ(record.at("responseContext").at("functionError"), "Unhandled");
  EXPECT_EQ(record.at("responsePayload").at("errorType"), "ValueError");
}

TEST(DestinationRecord, OfAnEventThatWasNeverCarriedOutHasNoResponse) {
  const auto record =
      parsed(destination_record(event_of("[1]"), verdict_too_old(event_of("")), kArn, kFailedAt));
  EXPECT_EQ(record.at("requestContext").at("condition"), "EventAgeExceeded");
  EXPECT_FALSE(record.as_object().contains("responseContext"));
  EXPECT_FALSE(record.as_object().contains("responsePayload"));
}

TEST(DestinationRecord, HasThePayloadsAsTheyAre) {
  Verdict verdict;
  verdict.success.executed_version = "3";
  std::string deep = std::string(100, '[') + std::string(100, ']');
  for (const std::string& payload :
       {std::string(R"({"n":12345678901234567890123,"x":1.10,"e":1E2})"),
        std::string(R"({"a":1,"a":2})"), deep, std::string("\"\xc3\xbc\\u00fc\"")}) {
    verdict.success.payload = payload;
    EXPECT_THAT(destination_record(event_of(payload), verdict, kArn, kFailedAt),
                AllOf(HasSubstr("\"requestPayload\":" + payload + ","),
                      HasSubstr("\"responsePayload\":" + payload + "}")));
  }
}

TEST(DestinationRecord, HasWhatIsNoJsonAsText) {
  Verdict verdict;
  verdict.success.executed_version = "3";
  const std::string deeper = std::string(1'001, '[') + std::string(1'001, ']');
  for (const auto& [payload, text] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"no \"json\"", "no \"json\""},
                                                        {"1}", "1}"},
                                                        {deeper, deeper},
                                                        {"\xff", "\xef\xbf\xbd"}}) {
    verdict.success.payload = payload;
    const auto record = parsed(destination_record(event_of(payload), verdict, kArn, kFailedAt));
    EXPECT_EQ(record.at("requestPayload"), json::string(text));
    EXPECT_EQ(record.at("responsePayload"), json::string(text));
  }
}

TEST(DestinationRecord, ThatIsTooLargeLeavesOutThePayloads) {
  Verdict verdict;
  verdict.success.executed_version = "3";
  verdict.success.payload = '"' + std::string(6'291'456, 'x') + '"';
  const auto record = parsed(destination_record(event_of("[1]"), verdict, kArn, kFailedAt));
  EXPECT_EQ(record.at("requestPayload"), nullptr);
  EXPECT_FALSE(record.as_object().contains("responsePayload"));
}

TEST(DeadLetter, HasAwssAttributes) {
  const auto attributes =
      parsed(dead_letter_attributes(event_of("[1]"), failure())).at("custom").as_object();
  EXPECT_EQ(attributes, parsed(R"({"RequestID": "e4b5a0d2-2f0c-4b43-9f0a-6e0f9f3c8f01",
                                   "ErrorCode": "200", "ErrorMessage": "no"})")
                            .as_object());
}

TEST(DeadLetter, TheMessageIsCutBetweenCharacters) {
  std::string message = "x";
  for (int i = 0; i < 600; ++i) message += "\xc3\xbc";
  const auto value = parsed(dead_letter_attributes(event_of("[1]"), failure(message)));
  const auto& kept = value.at("custom").at("ErrorMessage").as_string();
  EXPECT_EQ(kept.size(), 1'023u);
  EXPECT_TRUE(kept.ends_with("\xc3\xbc"));
}

TEST(Destination, IsAFunctionOfThisServerOrAnAddress) {
  SystemClock clock;
  const auto database = std::move(*store::Database::open_in_memory());
  const auto catalog = std::move(*function::Catalog::load(*database, clock, function::Tenant(),
                                                          store::MasterKey::ephemeral()));
  EXPECT_EQ(parse_destination("https://a.org/x", *catalog)->url, "https://a.org/x");
  for (const char* wrong : {"", "work", "arn:aws:sqs:us-east-1:000000000000:q", "ftp://a.org/",
                            "arn:aws:lambda:eu-west-1:000000000000:function:work"}) {
    const auto destination = parse_destination(wrong, *catalog);
    ASSERT_FALSE(destination) << wrong;
    EXPECT_THAT(destination.error().message(), HasSubstr("begins with http:// or https://"));
  }
  const auto nobody =
      parse_destination("arn:aws:lambda:us-east-1:000000000000:function:nobody", *catalog);
  ASSERT_FALSE(nobody);
  EXPECT_THAT(nobody.error().message(), HasSubstr("there is no such function"));
}

}  // namespace
}  // namespace lambda::events
