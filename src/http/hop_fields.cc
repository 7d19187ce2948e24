#include "http/hop_fields.h"

#include "base/encoding.h"

namespace lambda::http {

std::vector<std::string> names_in_connection(const Headers& headers) {
  std::vector<std::string> names;
  const auto all = to_lower(headers.joined("Connection", ","));
  std::string_view rest = all;
  while (!rest.empty()) {
    const auto end = rest.find(',');
    auto name = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    while (name.starts_with(' ') || name.starts_with('\t')) name.remove_prefix(1);
    while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

}  // namespace lambda::http
