// The end of a coroutine that nobody waits for. asio::detached drops what such a coroutine throws,
// and with it a whole service ends without a word; here it is logged under a name.
//
//   asio::co_spawn(loop, housekeeper.run(), in_background("the housekeeper"));
//
// Any thread.
#pragma once

#include <exception>
#include <string_view>

namespace lambda {

class InBackground {
 public:
  explicit InBackground(std::string_view name) : name_(name) {}
  void operator()(const std::exception_ptr& thrown) const;

 private:
  std::string_view name_;
};

// `name` is a literal: it is read when the coroutine ends.
[[nodiscard]] inline InBackground in_background(std::string_view name) {
  return InBackground(name);
}

}  // namespace lambda
