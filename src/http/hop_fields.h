// The fields that concern one connection alone, and that a proxy does not pass on (RFC
// 9110, 7.6.1). Pure.
#pragma once

#include "http/message.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::http {

// In lower case.
inline constexpr std::array<std::string_view, 9> kHopFields = {"connection",
                                                               "keep-alive",
                                                               "proxy-connection",
                                                               "proxy-authenticate",
                                                               "proxy-authorization",
                                                               "te",
                                                               "trailer",
                                                               "transfer-encoding",
                                                               "upgrade"};

// Those that the message's Connection fields name besides, in lower case.
[[nodiscard]] std::vector<std::string> names_in_connection(const Headers& headers);

}  // namespace lambda::http
