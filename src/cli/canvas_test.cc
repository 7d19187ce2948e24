#include "cli/canvas.h"

#include "base/unique_fd.h"
#include "cli/waterfall.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/ioctl.h>
#include <utility>

namespace lambda::cli {
namespace {

// A terminal that is so wide, in a UTF-8 locale; the environment is as it was afterwards.
class OnATerminal : public testing::Test {
 public:
  ~OnATerminal() override {
    if (before_.empty()) {
      ::unsetenv("LC_ALL");
    } else {
      locale(before_.c_str());
    }
  }

 protected:
  OnATerminal() {
    ours_ = UniqueFd(::posix_openpt(O_RDWR | O_NOCTTY));
    EXPECT_EQ(::grantpt(ours_.get()), 0);
    EXPECT_EQ(::unlockpt(ours_.get()), 0);
    theirs_ = UniqueFd(::open(::ptsname(ours_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_GE(theirs_.get(), 0);
    if (const char* before = std::getenv("LC_ALL")) before_ = before;
    locale("C.UTF-8");
  }
  static void locale(const char* name) { ::setenv("LC_ALL", name, 1); }
  int as_wide_as(unsigned short columns) {
    winsize size{};
    size.ws_col = columns;
    size.ws_row = 24;
    EXPECT_EQ(::ioctl(ours_.get(), TIOCSWINSZ, &size), 0);
    return theirs_.get();
  }

  UniqueFd ours_, theirs_;
  UniqueFd file_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  std::string before_;
};

TEST_F(OnATerminal, ACanvasIsAsWideAsTheTerminalNow) {
  EXPECT_EQ(canvas_of(as_wide_as(131), 80).width, 131u);
  EXPECT_EQ(canvas_of(as_wide_as(40), 80).width, 40u);
  // One that does not say.
  EXPECT_EQ(canvas_of(as_wide_as(0), 77).width, 77u);
  EXPECT_EQ(canvas_of(file_.get(), 99).width, 99u);
}

TEST_F(OnATerminal, ItHasBlocksWhereTheLocaleIsUtf8) {
  EXPECT_EQ(canvas_of(as_wide_as(80), 80).glyphs, Glyphs::blocks);
  locale("C");
  EXPECT_EQ(canvas_of(as_wide_as(80), 80).glyphs, Glyphs::ascii);
}

TEST_F(OnATerminal, AWaterfallIsNeitherTooNarrowNorTooWide) {
  const auto narrow = waterfall_canvas(as_wide_as(20)).width;
  const auto usual = waterfall_canvas(as_wide_as(90)).width;
  const auto wide = waterfall_canvas(as_wide_as(1000)).width;
  EXPECT_GT(narrow, 20u);
  EXPECT_LT(narrow, 80u);
  EXPECT_EQ(usual, 90u);
  EXPECT_GE(wide, 100u);
  EXPECT_LT(wide, 1000u);
}

TEST_F(OnATerminal, AWaterfallInAFileIsAsciiAndAPageWide) {
  EXPECT_EQ(waterfall_canvas(as_wide_as(90)).glyphs, Glyphs::blocks);
  EXPECT_EQ(waterfall_canvas(file_.get()).glyphs, Glyphs::ascii);
  EXPECT_EQ(waterfall_canvas(file_.get()).width, 80u);
}

}  // namespace
}  // namespace lambda::cli
