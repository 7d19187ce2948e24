// Fields of the server's answers; what is missing is "", 0, false or an empty list. Pure.
#pragma once

#include <boost/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lambda::cli {

[[nodiscard]] std::string text_in(const boost::json::object& object, std::string_view name);
[[nodiscard]] std::int64_t number_in(const boost::json::object& object, std::string_view name);
[[nodiscard]] bool flag_in(const boost::json::object& object, std::string_view name);
[[nodiscard]] const boost::json::array& array_in(const boost::json::object& object,
                                                 std::string_view name);
// The control API's path of a function: "/_lambda/functions/NAME" and what follows.
[[nodiscard]] std::string function_path(std::string_view name, std::string_view rest = {});

}  // namespace lambda::cli
