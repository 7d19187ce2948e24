// The head of a response as bytes. Pure.
#pragma once

#include "http/message.h"

#include <cstddef>
#include <optional>
#include <string>

namespace lambda::http {

enum class Framing { none, length, chunked };

struct HeadOptions {
  Framing framing = Framing::length;
  std::size_t length = 0;
  bool keep_alive = true;
  bool upgrade = false;  // the Connection and Upgrade fields of `head` are left as they are
};

// Status line and fields, with Date, Connection and the framing's own fields. Fields that would
// break the framing, and values with control characters, are left out.
[[nodiscard]] std::string head_text(const Response& head, const HeadOptions& options);

// True for statuses that never have a body.
[[nodiscard]] bool is_bodiless(unsigned status);

// A name or value that cannot be sent as it is.
[[nodiscard]] bool is_safe_field(std::string_view name, std::string_view value);

}  // namespace lambda::http
