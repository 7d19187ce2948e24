// What a build's sandbox writes, on its way to whoever deploys: read as it comes, in whole lines
// where there are any, without what would move a terminal's cursor, and only so much of it.
//
// Threads: one loop. `say` is called on it, until close().
#pragma once

#include "base/async.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lambda::deploy {

inline constexpr std::size_t kMostOutput = 4 << 20;

class BuildOutput {
 public:
  using Say = std::function<void(std::string_view text)>;
  // Takes the sandbox's log pipe. Errors: internal (the loop cannot watch it).
  static Result<std::unique_ptr<BuildOutput>> open(LoopExecutor executor, UniqueFd pipe, Say say);
  ~BuildOutput();
  BuildOutput(const BuildOutput&) = delete;
  BuildOutput& operator=(const BuildOutput&) = delete;

  // What is in the pipe at this moment is said too; then nothing more.
  void close();

 private:
  struct Impl;
  explicit BuildOutput(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// Text for a terminal: without control characters but line ends and tabs.
[[nodiscard]] std::string plain_text(std::string_view text);

}  // namespace lambda::deploy
