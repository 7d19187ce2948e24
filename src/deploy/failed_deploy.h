// What a failed deploy leaves for the function's log: the end of its build's output, and why it
// failed. One loop.
#pragma once

#include "base/encoding.h"
#include "deploy/deployer.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lambda::deploy {

struct FailedDeploy {
  std::string function;
  std::uint64_t version = 0;  // that it would have become
  std::string output;         // of the build; the end of it
  std::string message;
};

// Hands progress on, and keeps the end of the output.
class KeptOutput final : public Progress {
 public:
  explicit KeptOutput(Progress& to) : to_(to) {}
  void begin_step(int number, std::string_view text) override { to_.begin_step(number, text); }
  void output(std::string_view text) override {
    to_.output(text);
    output_ += text;
    if (output_.size() > 2 * kKept) output_ = std::string(last_of_utf8(output_, kKept));
  }
  void end_step(int number, std::string_view text) override { to_.end_step(number, text); }
  void when_abandoned(std::function<void()> action) override {
    to_.when_abandoned(std::move(action));
  }
  std::string take() { return std::exchange(output_, {}); }

 private:
  static constexpr std::size_t kKept = 256 * 1024;
  Progress& to_;
  std::string output_;
};

}  // namespace lambda::deploy
