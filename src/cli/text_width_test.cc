#include "cli/text_width.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(TextWidth, CountsColumns) {
  EXPECT_EQ(display_width("greet"), 5u);
  EXPECT_EQ(display_width("gr\xC3\xBC\xC3\x9F"), 4u);        // two bytes each
  EXPECT_EQ(display_width("e\xCC\x81"), 1u);                 // a combining accent
  EXPECT_EQ(display_width("\xE4\xBD\xA0\xE5\xA5\xBD"), 4u);  // two wide ones
  EXPECT_EQ(display_width("\xF0\x9F\x9A\x80"), 2u);          // an emoji
  EXPECT_EQ(display_width("\xFF"), 1u);
}

TEST(TextWidth, CutsBetweenCharacters) {
  EXPECT_EQ(fitted("greeting", 8), "greeting");
  EXPECT_EQ(fitted("greeting", 5), "gree\xE2\x80\xA6");
  EXPECT_EQ(fitted("\xE4\xBD\xA0\xE5\xA5\xBD\xE5\x90\x97", 4), "\xE4\xBD\xA0\xE2\x80\xA6");
  EXPECT_EQ(fitted("long", 1), "\xE2\x80\xA6");
  EXPECT_EQ(fitted("long", 0), "");
}

TEST(TextWidth, ShowsNothingThatATerminalWouldObey) {
  EXPECT_EQ(shown_safely("a\x1B[31mb\tc\x7F"), "a [31mb c ");
  EXPECT_EQ(shown_safely("\xC2\x9B"
                         "2J"),
            " 2J");  // a control of one character
  EXPECT_EQ(shown_safely("a\xE2\x80\xAE"
                         "b"),
            "a b");  // from right to left
  EXPECT_EQ(shown_safely("\xC3("), "\xEF\xBF\xBD(");
  EXPECT_EQ(shown_safely("gr\xC3\xBC\xC3\x9F\xE4\xBD\xA0"), "gr\xC3\xBC\xC3\x9F\xE4\xBD\xA0");
}

}  // namespace
}  // namespace lambda::cli
