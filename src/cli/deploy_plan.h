// What a deploy comes to, before anything of it is packed or sent: whose it is, every setting, what
// the folder holds, and whether the server would take it. Blocking.
#pragma once

#include "base/result.h"
#include "cli/commands.h"
#include "cli/connection/server_connection.h"
#include "cli/event_settings.h"
#include "cli/project/archive.h"
#include "cli/project/contents.h"
#include "cli/project/manifest.h"

#include <boost/json.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lambda::cli {

struct DeployPlan {
  Manifest manifest;
  std::string name;
  boost::json::object settings;  // as the server takes them
  EventSettings events;
  [[nodiscard]] bool builds() const { return settings.contains("build"); }
  // What a person counts: packaging, preparing, starting, and installing where that is asked for.
  [[nodiscard]] int steps() const { return builds() ? 4 : 3; }
  bool first = false;                   // there is no such function yet
  std::optional<ArchiveFormat> format;  // none of an image that is there already
  std::string note;                     // which of several runtimes was chosen
};

// What can be seen without the server. Errors: invalid, naming the function where there are
// several.
Result<std::vector<DeployPlan>> plan_deploys(const DeployOptions& options,
                                             const std::vector<Manifest>& manifests);
// The rest: what the functions had, what their folders hold, and what the server has against it.
// What one has wrong is said before the first is deployed.
Result<Done> complete_plans(ServerConnection& server, std::vector<DeployPlan>& plans);
// What goes into the package now: the folder may have changed since it was looked at. Not of an
// image that is there already.
Result<Contents> list_contents(const DeployPlan& plan);

}  // namespace lambda::cli
