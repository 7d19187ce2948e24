#include "cli/log_text.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

std::string shown(std::string_view text, std::string_view level, bool platform, bool terminal,
                  bool colours) {
  boost::json::object line{{"time", "T"}, {"text", text}, {"level", level}, {"platform", platform}};
  LogStyle style;
  style.terminal = terminal;
  style.colours = colours;
  return log_text(line, style);
}

TEST(LogText, ForAPipeItIsWhatWasWritten) {
  EXPECT_EQ(shown("a\x1B[2Jb\x1B[31mc", "error", false, false, false), "T  a\x1B[2Jb\x1B[31mc");
}

TEST(LogText, ATerminalIsNotCommanded) {
  EXPECT_EQ(shown("a\tb\x1B[2Jc\x1B[1;31md\x07", "", false, true, false), "T  a\tb\\x1B[2Jcd\\x07");
  EXPECT_EQ(shown("\x1B[1;31md", "", false, true, true), "\x1B[2mT\x1B[0m  \x1B[1;31md\x1B[0m");
}

TEST(LogText, Colours) {
  EXPECT_EQ(shown("x", "error", false, true, true), "\x1B[2mT\x1B[0m  \x1B[31mx\x1B[0m");
  EXPECT_EQ(shown("x", "warn", false, true, true), "\x1B[2mT\x1B[0m  \x1B[33mx\x1B[0m");
  EXPECT_EQ(shown("START", "info", true, true, true), "\x1B[2mT\x1B[0m  \x1B[2mSTART\x1B[0m");
  EXPECT_EQ(shown("timed out", "error", true, true, true),
            "\x1B[2mT\x1B[0m  \x1B[31mtimed out\x1B[0m");
}

}  // namespace
}  // namespace lambda::cli
