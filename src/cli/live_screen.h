// LiveScreen: text at a terminal that is drawn again and again in the same place, until somebody
// types q. Where standard output is no terminal, or one that cannot go up, the texts follow each
// other, without an escape code. What was drawn last stays there at the end, and the terminal is as
// it was before, also where Ctrl-C or another signal ends the program, at once. Main thread; one at
// a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace lambda::cli {

// Of the terminal that standard output is; 0 where it is none.
struct ScreenSize {
  std::size_t columns = 0;
  std::size_t lines = 0;
};
[[nodiscard]] ScreenSize screen_size();

class LiveScreen {
 public:
  LiveScreen();
  ~LiveScreen();
  LiveScreen(const LiveScreen&) = delete;
  LiveScreen& operator=(const LiveScreen&) = delete;

  // No more lines than the screen has, no longer than it is wide. False: nobody reads it any more.
  bool draw(const std::vector<std::string>& lines);
  // False: by q.
  bool wait(std::chrono::milliseconds time);

 private:
  void take_keys();

  bool in_place_;      // it can be drawn over
  bool keys_ = false;  // standard input is a terminal, too
  std::size_t drawn_ = 0;
  std::size_t columns_ = 0;
  bool first_ = true;
};

}  // namespace lambda::cli
