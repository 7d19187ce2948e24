// How `live` is shared by two versions, of what the server says of a function. Pure.
#pragma once

#include <boost/json.hpp>

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

}  // namespace lambda::cli
