// A line of a function's log, and how lines come in. Plain values.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lambda::observe {

struct LogLine {
  std::uint64_t id = 0;  // rises within a function, over restarts too; 0: not kept yet
  WallTime time{};
  std::string function;
  std::string version;  // "$LATEST", "7"
  std::string instance;
  std::string request_id;  // "" outside of a call (init)
  std::string text;        // without its newline; valid UTF-8 (other bytes are replaced)
  bool platform = false;   // the server's own word (START, REPORT), not the function's
};

// What the lines of one call have in common: one for all of them.
struct LogOrigin {
  std::string version;
  std::string instance;
  std::string request_id;
};

// Lines that came together.
struct LogBatch {
  struct Text {
    WallTime time{};
    std::string text;
    bool platform = false;
  };
  std::shared_ptr<const LogOrigin> origin;
  std::vector<Text> lines;
};

// A line as it is kept, in memory and on its way to the disk.
struct KeptLine {
  std::uint64_t id = 0;
  WallTime time{};
  std::shared_ptr<const LogOrigin> origin;
  std::string text;
  bool platform = false;

  [[nodiscard]] std::size_t cost() const {
    constexpr std::size_t kOverhead = 128;
    return text.size() + origin->instance.size() + origin->request_id.size() + kOverhead;
  }
};
using LinePtr = std::shared_ptr<const KeptLine>;

[[nodiscard]] inline LogLine line_of(const KeptLine& kept, const std::string& function) {
  LogLine line;
  line.id = kept.id;
  line.time = kept.time;
  line.function = function;
  line.version = kept.origin->version;
  line.instance = kept.origin->instance;
  line.request_id = kept.origin->request_id;
  line.text = kept.text;
  line.platform = kept.platform;
  return line;
}

}  // namespace lambda::observe
