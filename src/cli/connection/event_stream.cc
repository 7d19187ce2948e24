#include "cli/connection/event_stream.h"

#include <utility>

namespace lambda::cli {

void EventStream::take_line(std::string_view line,
                            const std::function<void(const StreamEvent&)>& on_event) {
  if (line.empty()) {
    const auto event = std::exchange(event_, {});
    if (event.id || !event.data.empty()) on_event(event);
    return;
  }
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (!event_.data.empty()) event_.data += '\n';
    event_.data += value;
  } else if (name == "event") {
    event_.name = value;
  } else if (name == "id") {
    event_.id = value;
  }
}

void EventStream::take(std::string_view bytes,
                       const std::function<void(const StreamEvent&)>& on_event) {
  while (true) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) {
      rest_ += bytes;
      return;
    }
    rest_ += bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    auto line = std::exchange(rest_, {});
    if (line.ends_with('\r')) line.pop_back();
    take_line(line, on_event);
  }
}

}  // namespace lambda::cli
