// The newest lines of each function in memory. Not synchronised: the store's lock.
#pragma once

#include "observe/log_line.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::observe {

class LogMemory {
 public:
  LogMemory(std::size_t function_bytes, std::size_t all_bytes)
      : function_bytes_(function_bytes), all_bytes_(all_bytes) {}

  // `gone`: of a function that has nothing here, the newest id that may stand on disk alone.
  void keep(const std::string& function, LinePtr line, std::uint64_t gone);
  void forget(std::string_view function);

  // Lines up to this id are not here; nothing where the function has none at all.
  [[nodiscard]] std::optional<std::uint64_t> gone(std::string_view function) const;
  [[nodiscard]] std::vector<LinePtr> all(std::string_view function) const;
  // The oldest after this id, at most so many.
  [[nodiscard]] std::vector<LinePtr> after(std::string_view function, std::uint64_t id,
                                           std::size_t most) const;

 private:
  struct Ring {
    std::string function;
    std::deque<LinePtr> lines;
    std::size_t bytes = 0;
    std::uint64_t gone = 0;
  };
  using Rings = std::list<Ring>;  // the function that wrote last stands first

  Ring& ring_of(const std::string& function, std::uint64_t gone);
  [[nodiscard]] const Ring* find(std::string_view function) const;
  void drop_oldest(Ring& ring);

  std::size_t function_bytes_;
  std::size_t all_bytes_;
  std::size_t bytes_ = 0;
  Rings rings_;
  std::map<std::string, Rings::iterator, std::less<>> by_function_;
};

}  // namespace lambda::observe
