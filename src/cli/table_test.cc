#include "cli/table.h"

#include "cli/text_width.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace lambda::cli {
namespace {

ListingStyle in(ListingStyle::Format format) {
  ListingStyle style;
  style.format = format;
  return style;
}

TEST(Table, AlignsByWhatIsSeen) {
  Table table({"NAME", "X"});
  table.add({"\xC3\xA9", "1"});
  table.add({"\xE4\xBD\xA0\xE5\xA5\xBD\xE5\x90\x97", "2"});
  EXPECT_EQ(table.text(), "NAME    X\n\xC3\xA9       1\n\xE4\xBD\xA0\xE5\xA5\xBD\xE5\x90\x97  2\n");
}

TEST(Table, KeepsACellInItsLine) {
  Table table({"A", "B"});
  table.add({"one\ntwo", "\x1B[31mred"});
  EXPECT_EQ(table.text(), "A        B\none two   [31mred\n");
}

TEST(Table, FitsTheTerminal) {
  Table table({"NAME", "RUNTIME", "MESSAGE"});
  table.add({"greet", "python3.11", "a message that is far too long for this terminal"});
  ListingStyle narrow;
  narrow.width = 40;
  const auto text = table.text(narrow);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 40u) << line;
  EXPECT_THAT(text, testing::HasSubstr("\ngreet  python3.11  a message that is fa\xE2\x80\xA6\n"));
}

TEST(Table, CutsNamesLast) {
  Table table({"NAME", "URL"});
  table.add({"a-function-with-a-name", "http://a-function-with-a-name.localhost"});
  ListingStyle narrow;
  narrow.width = 32;
  EXPECT_THAT(table.text(narrow),
              testing::HasSubstr("a-function-with-a-name  http://\xE2\x80\xA6\n"));
  narrow.width = 20;
  EXPECT_THAT(table.text(narrow),
              testing::HasSubstr("a-function-\xE2\x80\xA6  http:\xE2\x80\xA6\n"));
  narrow.width = 10;
  EXPECT_THAT(table.text(narrow), testing::HasSubstr("a-function-\xE2\x80\xA6  h\xE2\x80\xA6\n"));
}

TEST(Table, IsPlainForScripts) {
  Table table({"NAME", "MESSAGE", "X"});
  table.add({"greet", "with\ta tab", ""});
  auto plain = in(ListingStyle::Format::plain);
  plain.width = 10;
  EXPECT_EQ(table.text(plain), "greet\twith a tab\t\n");
}

TEST(Table, IsNamesAlone) {
  Table table({"FUNCTION", "SCHEDULE", "CRON"}, 2);
  table.add({"greet", "default", "* * * * *"});
  EXPECT_EQ(table.text(in(ListingStyle::Format::names)), "greet\tdefault\n");
  EXPECT_EQ(Table({"NAME"}).text(in(ListingStyle::Format::names)), "");
}

TEST(Table, HasABoldHeaderWhereThereAreColours) {
  Table table({"NAME"});
  table.add({"greet"});
  ListingStyle style;
  style.colours = true;
  EXPECT_EQ(table.text(style), "\x1B[1mNAME\x1B[0m\ngreet\n");
}

}  // namespace
}  // namespace lambda::cli
