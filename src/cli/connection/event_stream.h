// Server-sent events out of the bytes of an answer, which come in any pieces. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::cli {

struct StreamEvent {
  std::string name;  // "" is "message"
  std::string data;
  std::optional<std::string> id;
};

class EventStream {
 public:
  // One call for each whole event, those without data (which only tell an id) included.
  void take(std::string_view bytes, const std::function<void(const StreamEvent&)>& on_event);

 private:
  void take_line(std::string_view line, const std::function<void(const StreamEvent&)>& on_event);

  std::string rest_;  // of a line that has not ended
  StreamEvent event_;
};

}  // namespace lambda::cli
