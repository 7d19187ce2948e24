#include "cli/deploy_report.h"

#include "cli/connection/json_fields.h"
#include "cli/connection/server_connection.h"
#include "cli/exit_code.h"
#include "cli/foreign_text.h"
#include "cli/missing_variable.h"

#include <cstdio>
#include <sstream>
#include <unistd.h>

namespace lambda::cli {
namespace {

namespace json = boost::json;

// The function's own words for why it failed to load.
void show_payload(const std::string& payload) {
  boost::system::error_code problem;
  const auto value = json::parse(payload, problem);
  if (problem || !value.is_object()) return;
  const auto& object = value.as_object();
  const auto say = [](const std::string& line) {
    std::fprintf(stderr, "  %s\n", for_person(line, STDERR_FILENO).c_str());
  };
  say(text_in(object, "errorType") + ": " + text_in(object, "errorMessage"));
  for (const char* key : {"stackTrace", "trace"}) {
    for (const auto& frame : array_in(object, key)) {
      if (frame.is_string()) say(std::string(frame.get_string()));
    }
  }
}

// A line of AWS's Node runtime, "TIME\tREQUEST\tERROR\tInit Error\t{...}", as the stack that its
// error object holds; any other as it is.
std::string readable(const std::string& line) {
  const auto at = line.find("\tERROR\t");
  const auto begin = line.find("\t{", at == std::string::npos ? line.size() : at);
  if (begin == std::string::npos) return line;
  boost::system::error_code problem;
  const auto value = json::parse(std::string_view(line).substr(begin + 1), problem);
  if (problem || !value.is_object()) return line;
  std::string stack;
  for (const auto& frame : array_in(value.as_object(), "stack")) {
    if (frame.is_string()) stack += std::string(frame.as_string()) + '\n';
  }
  return stack.empty() ? line : stack;
}

void show_log(const std::string& log, const std::string& message) {
  // All that it wrote may be the reason already.
  const auto end = log.find_last_not_of('\n');
  if (end == std::string::npos || message.ends_with(log.substr(0, end + 1))) return;
  std::fputs("\nIts output:\n", stderr);
  std::istringstream lines(log);
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream parts(readable(line));
    while (std::getline(parts, line)) {
      if (!line.empty()) std::fprintf(stderr, "  %s\n", for_person(line, STDERR_FILENO).c_str());
    }
  }
}

// Bytes that are no text of one line, as a question mark each.
std::string one_line(std::string_view bytes) {
  std::string shown(bytes);
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  return shown;
}

// What draws its line again and again (a bar of apt or wget) has a line for each here.
std::string without_returns(std::string_view text) {
  std::string lines;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      lines += text[i];
    } else if (text.substr(i + 1, 1) != "\n") {
      lines += '\n';
    }
  }
  return lines;
}

}  // namespace

void DeployReport::take(std::string_view piece) {
  pending_ += piece;
  for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
    line(pending_.substr(0, end));
    pending_.erase(0, end + 1);
  }
}

void DeployReport::end_open_step() {
  bar_.hide();
  if (open_)
    std::fprintf(stderr, "%sfailed.\n", !output_ ? " " : at_line_start_ ? "      " : "\n      ");
  open_ = false;
}

void DeployReport::line(const std::string& text) {
  boost::system::error_code problem;
  auto value = json::parse(text, problem);
  if (problem || !value.is_object()) {
    constexpr std::size_t kShown = 200;
    if (!unreadable_) unreadable_ = one_line(std::string_view(text).substr(0, kShown));
    return;
  }
  auto& object = value.as_object();
  const auto event = text_in(object, "event");
  if (event == "begin") {
    std::fprintf(stderr, "[%d/%d] %s...", static_cast<int>(number_in(object, "step")), steps_,
                 for_person(text_in(object, "text"), STDERR_FILENO).c_str());
    open_ = true;
    output_ = false;
  } else if (event == "output") {
    output(text_in(object, "text"));
  } else if (event == "end") {
    bar_.hide();
    if (output_) {
      std::fprintf(stderr, "%s      %s\n", at_line_start_ ? "" : "\n",
                   text_in(object, "text").c_str());
    } else {
      std::fprintf(stderr, " %s\n", text_in(object, "text").c_str());
    }
    open_ = false;
  } else if (event == "result") {
    result_ = std::move(object);
  } else if (event == "error") {
    error_ = std::move(object);
  }
}

// The build's own output, below its step.
void DeployReport::output(const std::string& text) {
  std::string shown;
  if (!output_) {
    shown += '\n';
    at_line_start_ = true;
  }
  output_ = true;
  for (const char c : for_person(without_returns(text), STDERR_FILENO)) {
    if (at_line_start_) shown += "      ";
    shown += c;
    at_line_start_ = c == '\n';
  }
  bar_.hide();
  std::fputs(shown.c_str(), stderr);
  bar_.read(text);
  if (at_line_start_) bar_.show();
}

int show_deploy_error(const json::object& error) {
  const auto message = text_in(error, "message");
  std::fprintf(stderr, "\nlambda: %s\n", for_person(message, STDERR_FILENO).c_str());
  const auto log = text_in(error, "log");
  if (log.empty()) {
    show_payload(text_in(error, "functionPayload"));
  } else {
    show_log(log, message);
    if (const auto remedy = missing_variable_remedy(log); !remedy.empty())
      std::fprintf(stderr, "\n%s\n", remedy.c_str());
  }
  if (text_in(error, "code") == to_string(ErrorCode::function_failed)) return kFunctionFailed;
  return exit_code_of(code_of_status(static_cast<unsigned>(number_in(error, "status"))));
}

}  // namespace lambda::cli
