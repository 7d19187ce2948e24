#include "server/deploy_log.h"

#include <string_view>
#include <utility>

namespace lambda::server {

void log_failed_deploy(observe::LogStore& logs, const deploy::FailedDeploy& failed, bool exists,
                       WallTime now) {
  if (!exists) {
    // What its initialisation wrote.
    logs.forget(failed.function);
    return;
  }
  observe::LogOrigin origin;
  origin.version = std::to_string(failed.version);
  observe::LogBatch batch;
  batch.origin = std::make_shared<const observe::LogOrigin>(std::move(origin));
  std::string_view rest = failed.output;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) batch.lines.push_back({now, std::string(line), false});
  }
  batch.lines.push_back(
      {now,
       fmt::format("[lambda] the deploy of version {} failed: {}", failed.version, failed.message),
       true});
  logs.source(failed.function)->append(std::move(batch));
}

}  // namespace lambda::server
