// How far the build of an image is, below its output: a line that steps aside for what the build
// says. Only at a terminal. Main thread.
#pragma once

#include "cli/progress_bar.h"

#include <string>
#include <string_view>

namespace lambda::cli {

class BuildBar {
 public:
  explicit BuildBar(bool wanted) : wanted_(wanted) {}
  ~BuildBar() { hide(); }
  BuildBar(const BuildBar&) = delete;
  BuildBar& operator=(const BuildBar&) = delete;

  // The build's output, cut anywhere; it begins each step with "Step 2/7 : RUN make".
  void read(std::string_view text);
  // At the begin of an empty line, where a step is known.
  void show();
  void hide();

 private:
  std::string line_;
  int step_ = 0;
  int steps_ = 0;
  bool wanted_;
  bool shown_ = false;
  OpenLine open_;
};

// "Building [#####               ] step 2 of 7", in at most `width` columns (0: any): the step is
// under way, not done.
[[nodiscard]] std::string build_text(int step, int steps, std::size_t width);

}  // namespace lambda::cli
