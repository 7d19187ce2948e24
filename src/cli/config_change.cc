#include "cli/config_change.h"

#include "cli/connection/target.h"

#include <cstdio>
#include <cstdlib>

namespace lambda::cli {

Result<std::string> change_host(Context& context, const std::string& url) {
  const bool local = url == "local";
  if (!local) {
    auto parsed = parse_host(url);
    if (!parsed) return fail(std::move(parsed.error()));
  }
  auto before = context.host;
  context.host = local ? "" : url;
  if (context.key.empty() || before.empty() || before == context.host) return std::string();
  context.key.clear();
  return before;
}

void warn_of_variables(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    std::fprintf(
        stderr,
        "But %s is set here, and comes first: until `unset %s` commands go where it says.\n", name,
        name);
    return;
  }
}

}  // namespace lambda::cli
