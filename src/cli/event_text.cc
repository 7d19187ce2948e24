#include "cli/event_text.h"

#include <boost/json.hpp>

namespace lambda::cli {

Result<Done> check_event(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(ErrorCode::invalid,
                "the event is empty: leave --data away, or write --data '{{}}'");
  }
  boost::system::error_code error;
  boost::json::parse_options options;
  options.max_depth = 10'000;
  static_cast<void>(boost::json::parse(text, error, {}, options));
  if (!error) return Done{};
  return fail(ErrorCode::invalid,
              "the event is not JSON ({}). Quote it for the shell: --data '{{\"name\": "
              "\"World\"}}'; a plain text is --data '\"text\"'",
              error.message());
}

}  // namespace lambda::cli
