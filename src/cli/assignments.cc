#include "cli/assignments.h"

#include "cli/project/text_file.h"

#include <fstream>

namespace lambda::cli {

Result<std::pair<std::string, std::string>> key_and_value(const std::string& text,
                                                          std::string_view flag) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail(ErrorCode::invalid, "{} \"{}\" must be KEY=VALUE", flag, text);
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<Done> add_environment_file(const std::string& path, Variables& environment) {
  std::ifstream file(path);
  if (!file) return fail(ErrorCode::invalid, "cannot read --env-file {}", path);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (number == 1) drop_byte_order_mark(line);
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::invalid, "{} line {} must be KEY=VALUE", path, number);
    environment[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return Done{};
}

Result<std::pair<std::string, std::string>> secret_reference(const std::string& text,
                                                             std::string_view where) {
  if (text.find('=') != std::string::npos) {
    return fail(ErrorCode::invalid,
                "{} names a secret, and takes no value: put that with `lambda secret put NAME`, "
                "and name it alone",
                where);
  }
  const auto colon = text.find(':');
  auto name = text.substr(0, colon);
  auto form = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  if (!is_variable_name(name)) {
    return fail(ErrorCode::invalid,
                "{} \"{}\" names no secret: a name has two or more letters, digits and \"_\", and "
                "begins with a letter",
                where, text);
  }
  if (colon != std::string::npos && form != "env" && form != "file") {
    return fail(ErrorCode::invalid, "{} \"{}\": a secret is given as env or file, as in {}:file",
                where, text, name);
  }
  return std::pair(std::move(name), std::move(form));
}

}  // namespace lambda::cli
