#include "cli/foreign_text.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

TEST(ForeignText, CommandsNoTerminal) {
  EXPECT_EQ(tamed("a\x1B[2J\x1B]0;title\x07\r\b\x7F", true),
            "a\\x1B[2J\\x1B]0;title\\x07\\r\\x08\\x7F");
  EXPECT_EQ(tamed("\xC2\x9B"
                  "2J",
                  true),
            "\\xC2\\x9B2J");
}

TEST(ForeignText, KeepsItsLinesAndWords) {
  EXPECT_EQ(tamed("one\n\ttwo \xE4\xBD\xA0\n", true), "one\n\ttwo \xE4\xBD\xA0\n");
  EXPECT_EQ(tamed_line("one\ttwo\nthree", true), "one\ttwo\\nthree");
  EXPECT_EQ(tamed("", true), "");
}

TEST(ForeignText, KeepsItsColoursWhereTheyAreWanted) {
  EXPECT_EQ(tamed("a\x1B[1;31mb\x1B[0m", true), "a\x1B[1;31mb\x1B[0m");
  EXPECT_EQ(tamed("a\x1B[1;31mb\x1B[0m", false), "ab");
  EXPECT_EQ(tamed("a\x1B[31", true), "a\\x1B[31");
}

}  // namespace
}  // namespace lambda::cli
