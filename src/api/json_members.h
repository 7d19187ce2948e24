// Typed members of a request's JSON object. A member that is absent or null is nothing; one of
// another type is a SerializationException that names it. Pure.
#pragma once

#include "base/result.h"

#include <boost/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::api {

Result<std::optional<std::string>> text_member(const boost::json::object& object,
                                               std::string_view name);
Result<std::optional<std::int64_t>> number_member(const boost::json::object& object,
                                                  std::string_view name);
Result<std::optional<bool>> flag_member(const boost::json::object& object, std::string_view name);
Result<std::optional<std::map<std::string, std::string>>> texts_member(
    const boost::json::object& object, std::string_view name);
// Null where it is absent.
Result<const boost::json::object*> object_member(const boost::json::object& object,
                                                 std::string_view name);
Result<std::optional<std::vector<std::string>>> list_member(const boost::json::object& object,
                                                            std::string_view name);

// The names of its members without their values, which may be secret: "Description, Timeout".
[[nodiscard]] std::string member_names(const boost::json::object& object);

[[nodiscard]] tl::unexpected<Error> serialization_error(std::string message);

}  // namespace lambda::api
