// lambda init.
#include "base/deploy_rules.h"
#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/init/new_folder.h"
#include "cli/init/templates.h"
#include "cli/project/dependencies.h"

#include <spdlog/fmt/fmt.h>

#include <cstdio>
#include <filesystem>

namespace lambda::cli {
namespace {

namespace fs = std::filesystem;

Result<std::string> name_for(const InitOptions& options) {
  if (!options.name.empty()) return options.name;
  std::error_code error;
  auto path = fs::weakly_canonical(options.folder, error);
  if (!path.has_filename()) path = path.parent_path();
  auto name = path.filename().string();
  if (error || name.empty())
    return fail(ErrorCode::invalid, "{} gives the function no name: add --name", options.folder);
  return name;
}

void show_next_steps(const InitOptions& options, const FilledTemplate& filled,
                     const std::string& name) {
  std::string files;
  for (const auto& file : filled.files) files += "  " + file.name;
  std::fprintf(stderr, "A function for %s, \"%s\":\n%s\n\nBegin with %s. Next:\n",
               options.runtime.c_str(), name.c_str(), files.c_str(), filled.code.c_str());
  if (fs::path(options.folder).lexically_normal() != ".")
    std::fprintf(stderr, "  cd %s\n", shell_quoted(options.folder).c_str());
  if (!filled.build.empty()) std::fprintf(stderr, "  %s\n", filled.build.c_str());
  std::fprintf(stderr, "  lambda deploy\n  lambda invoke %s -f event.json\n", name.c_str());
}

}  // namespace

int init(const InitOptions& options) {
  auto name = name_for(options);
  if (!name) return explain(name.error());
  if (auto good = check_deploy_name(*name); !good) return explain(good.error());
  auto filled = fill_template(options.runtime, *name);
  if (!filled) return explain(filled.error());
  auto written = write_new_files(options.folder, filled->files);
  if (!written) return explain(written.error());
  std::printf("%s\n", options.folder.c_str());
  std::fflush(stdout);
  show_next_steps(options, *filled, *name);
  return kDone;
}

}  // namespace lambda::cli
