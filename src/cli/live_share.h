// How `live` is shared by two versions, or was, of what the server says.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace lambda::cli {

struct LiveShare {
  std::string version;  // the second
  std::string percent;  // "25 %", what it gets
  std::string rest;     // "75 %", what is left for the first
};

// Nothing where one version has all calls.
std::optional<LiveShare> live_share(const boost::json::object& function);
// The same of any alias.
std::optional<LiveShare> share_of_alias(const boost::json::object& alias);
// Of an answer about what moved `live`: "live was shared: 25 % of the calls went to version 1; all
// of them go to version 3 now", or "".
std::string ended_share_text(const boost::json::object& answer, std::int64_t now);

}  // namespace lambda::cli
