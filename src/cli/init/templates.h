// What `lambda init` can make: for each runtime a small function that works. Pure; any thread.
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace lambda::cli {

struct TemplateFile {
  std::string name;  // in the folder
  std::string text;
  bool executable = false;
};

struct FilledTemplate {
  std::string code;   // the file to begin with
  std::string build;  // what is typed before `lambda deploy`, or ""
  std::vector<TemplateFile> files;
};

// What --runtime may be: "python3.11", ..., "cpp", "http", "image".
[[nodiscard]] std::vector<std::string> template_names();
// For a function of that name. Error: invalid: there is no template of that name.
[[nodiscard]] Result<FilledTemplate> fill_template(std::string_view which, std::string_view name);

// A file of the build, "" where there is none of that name.
[[nodiscard]] std::string_view embedded_file(std::string_view name);

}  // namespace lambda::cli
