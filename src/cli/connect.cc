#include "cli/commands.h"
#include "cli/exit_code.h"

namespace lambda::cli {

Connected connect(const ConnectionOptions& options) {
  Connected connected;
  auto target = find_target(options);
  if (!target) {
    connected.code = explain(target.error());
  } else {
    connected.server.emplace(std::move(*target));
  }
  return connected;
}

}  // namespace lambda::cli
