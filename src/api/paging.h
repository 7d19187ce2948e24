// Pages of a list: ?Marker= and ?MaxItems=. A marker names the last item that was seen, so that a
// caller may delete what a page showed before asking for the next one and misses nothing. Pure.
#pragma once

#include "base/result.h"
#include "http/message.h"

#include <cstddef>
#include <string>
#include <vector>

namespace lambda::api {

struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string next;  // NextMarker, or "" on the last page
};

// `keys` are the items' own, sorted and unique. Errors: validation (MaxItems), invalid (a Marker
// that this server never gave).
Result<Page> page_of(const http::Request& request, const std::vector<std::string>& keys,
                     std::size_t most);

// A key that sorts by number behind `name`: $LATEST (0) first, then the versions.
[[nodiscard]] std::string version_key(const std::string& name, std::uint64_t number);

}  // namespace lambda::api
