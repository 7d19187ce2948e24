#include "observe/log_filter.h"

#include "observe/log_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fmt/format.h>

namespace lambda::observe {
namespace {

using ::testing::HasSubstr;

KeptLine line(std::string text) {
  LogOrigin origin;
  origin.version = "7";
  origin.instance = "i";
  origin.request_id = "r";
  KeptLine made;
  made.id = 12;
  made.time = WallTime(std::chrono::milliseconds(1767323045678));
  made.origin = std::make_shared<const LogOrigin>(std::move(origin));
  made.text = std::move(text);
  return made;
}

TEST(LogFilter, Times) {
  const auto at = line("x");
  LogFilter filter;
  filter.since = at.time;
  EXPECT_TRUE(filter.matches(at));
  filter.until = at.time;
  EXPECT_FALSE(filter.matches(at));
  filter.until = at.time + std::chrono::milliseconds(1);
  EXPECT_TRUE(filter.matches(at));
  filter.since = at.time + std::chrono::milliseconds(1);
  EXPECT_FALSE(filter.matches(at));
}

TEST(LogFilter, LevelsAndAbove) {
  LogFilter filter;
  filter.level = LogLevel::warn;
  EXPECT_TRUE(filter.matches(line("[ERROR] x")));
  EXPECT_TRUE(filter.matches(line(R"({"level":"warn"})")));
  EXPECT_FALSE(filter.matches(line("[INFO] x")));
  EXPECT_FALSE(filter.matches(line("without one")));
  filter.level = LogLevel::info;
  EXPECT_TRUE(filter.matches(line("without one")));
  EXPECT_FALSE(filter.matches(line("[DEBUG] x")));
}

TEST(LogFilter, Searches) {
  LogFilter filter;
  filter.search = *parse_search("(?i)time.?out|refused$");
  EXPECT_TRUE(filter.matches(line("a TimeOut came")));
  EXPECT_TRUE(filter.matches(line("connection refused")));
  EXPECT_FALSE(filter.matches(line("refused to")));
}

TEST(LogFilter, SaysWhatIsWrongWithASearchAndWhere) {
  const auto failed = parse_search("ab(cd");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::invalid);
  EXPECT_THAT(failed.error().message(), HasSubstr("missing )"));
  EXPECT_THAT(parse_search("é[b-a]").error().message(), HasSubstr("at character 3 (\"b-a\")"));
  EXPECT_THAT(parse_search("(a)\\1").error().message(), HasSubstr("backreferences"));
  EXPECT_THAT(parse_search("").error().message(), HasSubstr("empty"));
  EXPECT_THAT(parse_search(std::string(5000, 'a')).error().message(), HasSubstr("4096"));
  // It would need more memory than a search may have.
  EXPECT_FALSE(parse_search("((a{100}){100}){100}"));
}

TEST(LogFilter, AnExpressionThatExplodesElsewhereTakesLinearTime) {
  LogFilter filter;
  filter.search = *parse_search("^(a+)+$");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(filter.matches(line(std::string(256 << 10, 'a') + "b")));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(2));
}

TEST(LogFilter, AnExpressionOfManyStepsIsRefused) {
  const auto failed = parse_search("a[ab]{999}c");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::invalid);
  EXPECT_THAT(failed.error().message(), HasSubstr("300 are the most"));
  EXPECT_TRUE(parse_search("(?i)timed? ?out|refused|[0-9]{1,3}(\\.[0-9]{1,3}){3}"));
}

TEST(LogJson, KeepsAndShowsALine) {
  auto kept = line("with \"quotes\" \x01 é");
  kept.platform = true;
  const auto text = kept_json(kept);
  EXPECT_EQ(id_of_kept(text), 12u);
  const auto read = parse_kept(text, "greet");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, 12u);
  EXPECT_EQ(read->text, kept.text);
  EXPECT_EQ(read->time, kept.time);
  EXPECT_EQ(read->version, "7");
  EXPECT_EQ(read->instance, "i");
  EXPECT_EQ(read->request_id, "r");
  EXPECT_TRUE(read->platform);
  EXPECT_EQ(parse_kept("{\"id\":12,\"ti", "greet"), std::nullopt);
  EXPECT_EQ(id_of_kept(R"({"time":1,"text":"of an earlier release"})"), 0u);
}

TEST(LogJson, AStructuredLineKeepsItsFieldsAsTheyWereWritten) {
  const std::string sent = R"({"b":1.10,"big":123456789012345678901234567890,"level":"warn"})";
  const auto shown = shown_json(line_of(line(sent), "greet"));
  EXPECT_THAT(shown, HasSubstr(",\"fields\":" + sent + "}"));
  EXPECT_THAT(shown, HasSubstr(R"("level":"warn")"));
  EXPECT_THAT(shown, HasSubstr(R"({"id":12,"time":"2026-01-02T03:04:05.678Z","version":"7",)"));
  EXPECT_THAT(shown_json(line_of(line("{not json}"), "greet")),
              HasSubstr(R"("platform":false,"level":null,"text":"{not json}"})"));
}

TEST(LogJson, AStructuredLineIsALineOfAnEventAndNoReadersDepthIsExceeded) {
  // A carriage return is white space of JSON, and ends a line of server-sent events.
  const auto shown = shown_json(line_of(line("{\"a\":1,\r\"b\":\"\\r\"}"), "greet"));
  EXPECT_EQ(shown.find('\r'), std::string::npos);
  EXPECT_THAT(shown, HasSubstr("\"fields\":{\"a\":1, \"b\":\"\\r\"}"));
  for (std::size_t depth = 1; depth < 100; ++depth) {
    std::string deep = "1";
    for (std::size_t i = 0; i < depth; ++i) deep = fmt::format("{{\"a\":{}}}", deep);
    const auto answer = fmt::format("{{\"lines\":[{}]}}", shown_json(line_of(line(deep), "greet")));
    boost::system::error_code error;
    boost::json::parse(answer, error);  // as deep as it goes by default
    EXPECT_FALSE(error) << depth;
  }
}

}  // namespace
}  // namespace lambda::observe
