#include "cli/event_text.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(EventText, IsAnyJson) {
  for (const char* event : {"{}", "1", "\"text\"", " [1, 2] ", "null"})
    EXPECT_TRUE(check_event(event)) << event;
  EXPECT_TRUE(check_event(std::string(1'000, '[') + std::string(1'000, ']')));
}

TEST(EventText, SaysHowItIsWritten) {
  for (const char* wrong : {"{", "{name: World}", "text", "1 2"}) {
    const auto checked = check_event(wrong);
    ASSERT_FALSE(checked) << wrong;
    EXPECT_NE(checked.error().message().find("--data '{\"name\": \"World\"}'"), std::string::npos);
  }
  const auto empty = check_event(" ");
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().message(), "the event is empty: leave --data away, or write --data '{}'");
}

}  // namespace
}  // namespace lambda::cli
