// CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, UpdateFunctionCode,
// UpdateFunctionConfiguration, DeleteFunction; and the download that Code.Location links to.
#pragma once

#include "api/operation.h"

namespace lambda::api {

Task<Answer> create_function(Services& services, Exchange& exchange);
Task<Answer> get_function(Services& services, Exchange& exchange);
Task<Answer> get_function_configuration(Services& services, Exchange& exchange);
Task<Answer> list_functions(Services& services, Exchange& exchange);
Task<Answer> update_function_code(Services& services, Exchange& exchange);
Task<Answer> update_function_configuration(Services& services, Exchange& exchange);
Task<Answer> delete_function(Services& services, Exchange& exchange);

// No key: the link is one, for ten minutes.
Task<Answer> download_code(Services& services, Exchange& exchange);

// A page of `items` from Marker on, at most MaxItems (and `most`). Sets `next` to the following
// Marker, or "".
struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string next;
};
Result<Page> page_of(const http::Request& request, std::size_t count, std::size_t most);

}  // namespace lambda::api
