// What the server says while it deploys: steps on standard error as they come, the end kept.
#pragma once

#include "cli/build_bar.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace lambda::cli {

class DeployReport {
 public:
  // `steps`: of the whole deploy. `terminal`: a build shows how far it is.
  DeployReport(int steps, bool terminal) : steps_(steps), bar_(terminal) {}
  // The next bytes of the answer, cut anywhere.
  void take(std::string_view piece);
  // Ends the line of a step that did not end itself.
  void end_open_step();
  [[nodiscard]] const std::optional<boost::json::object>& result() const { return result_; }
  [[nodiscard]] const std::optional<boost::json::object>& error() const { return error_; }
  // The beginning of the first line that was not understood: the result may have been in it.
  [[nodiscard]] const std::optional<std::string>& unreadable() const { return unreadable_; }

 private:
  void line(const std::string& text);
  void output(const std::string& text);

  const int steps_;
  std::string pending_;
  std::optional<boost::json::object> result_;
  std::optional<boost::json::object> error_;
  std::optional<std::string> unreadable_;
  bool open_ = false;
  bool output_ = false;
  bool at_line_start_ = true;
  BuildBar bar_;
};

// Why it failed, in the function's own words where it has some; returns the exit code.
int show_deploy_error(const boost::json::object& error);

}  // namespace lambda::cli
