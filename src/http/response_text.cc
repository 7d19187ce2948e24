#include "http/response_text.h"

#include "base/encoding.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace lambda::http {
namespace {

bool is_framing_field(std::string_view name) {
  constexpr std::array<std::string_view, 5> names = {"content-length", "transfer-encoding",
                                                     "connection", "date", "keep-alive"};
  return std::ranges::any_of(
      names, [name](std::string_view own) { return equals_ignoring_case(name, own); });
}

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [marks](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

// RFC 9110 IMF-fixdate, made once a second a thread.
std::string_view date_text() {
  thread_local std::time_t made = 0;
  thread_local std::array<char, 40> text{};
  thread_local std::size_t length = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made = now;
  }
  return {text.data(), length};
}

}  // namespace

bool is_safe_field(std::string_view name, std::string_view value) {
  return is_token(name) && std::ranges::none_of(value, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return (byte < 0x20 && c != '\t') || byte == 0x7F;
         });
}

bool is_bodiless(unsigned status) {
  return status < 200 || status == 204 || status == 304;
}

std::string head_text(const Response& head, const HeadOptions& options) {
  std::string text;
  text.reserve(256 + head.headers.size() * 48);
  text += fmt::format("HTTP/1.1 {} {}\r\n", head.status, reason_phrase(head.status));
  for (const auto& field : head.headers) {
    const bool framing = is_framing_field(field.name);
    if (framing && !(options.upgrade && equals_ignoring_case(field.name, "connection"))) continue;
    if (!is_safe_field(field.name, field.value)) continue;
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  text.append("Date: ").append(date_text()).append("\r\n");
  if (!options.upgrade)
    text += options.keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  if (options.framing == Framing::length && !is_bodiless(head.status)) {
    text += fmt::format("Content-Length: {}\r\n", options.length);
  }
  if (options.framing == Framing::chunked) text += "Transfer-Encoding: chunked\r\n";
  text += "\r\n";
  return text;
}

}  // namespace lambda::http
