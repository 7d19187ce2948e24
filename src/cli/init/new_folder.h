// Writes a function's first files, and never over anything. Blocking.
#pragma once

#include "base/blocking.h"
#include "base/result.h"
#include "cli/init/templates.h"

#include <filesystem>
#include <vector>

namespace lambda::cli {

// All files, or none. The folder is made where it is not there. Errors: conflict (one of the files
// is there already, or the folder is none), denied (cannot be written).
Result<Done> write_new_files(const std::filesystem::path& folder,
                             const std::vector<TemplateFile>& files);

}  // namespace lambda::cli
