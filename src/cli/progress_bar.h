// How far something is, on a line of standard error that is drawn anew: at a terminal alone. While
// such a line is open, Ctrl-C ends it before it ends the program, so that the shell's prompt has a
// line of its own. Main thread; one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lambda::cli {

// While it is begun, Ctrl-C writes the end of the line first. One at a time.
class OpenLine {
 public:
  ~OpenLine() { end(); }
  void begin();
  void end();

 private:
  bool begun_ = false;
};

class ProgressBar {
 public:
  // `what`: "Uploading". Nothing is drawn where it is not `wanted`.
  ProgressBar(std::string what, std::uint64_t size, bool wanted);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void advance(std::uint64_t bytes);
  // Ends its line, where one was begun.
  void close();

 private:
  std::string what_;
  std::uint64_t done_ = 0;
  std::uint64_t size_;
  int shown_ = -1;  // per cent
  bool wanted_;
  OpenLine line_;
};

// Columns that a bar may have behind its margin; 0: any.
[[nodiscard]] std::size_t room_for_bar();

// "Uploading [#####               ]  25% of 4.0 MB", in at most `width` columns (0: any).
[[nodiscard]] std::string bar_text(const std::string& what, std::uint64_t done, std::uint64_t size,
                                   std::size_t width);

}  // namespace lambda::cli
