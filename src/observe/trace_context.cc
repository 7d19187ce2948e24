#include "observe/trace_context.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <span>

namespace lambda::observe {
namespace {

constexpr std::size_t kTraceparentSize = 55;
constexpr std::size_t kLongestState = 512;
constexpr unsigned kSampled = 1;

// -1: no digit of lower-case hexadecimal.
int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool read_hex(std::string_view text, std::span<std::uint8_t> into) {
  if (text.size() != into.size() * 2) return false;
  for (std::size_t i = 0; i < into.size(); ++i) {
    const int high = digit(text[2 * i]);
    const int low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string traceparent(const TraceContext& context, const TraceContext::SpanId& parent) {
  return fmt::format("00-{}-{}-{}", hex(context.trace), hex(parent), context.sampled ? "01" : "00");
}

// The fields that every version has, at their places.
std::optional<TraceContext> read_fields(std::string_view text) {
  TraceContext context;
  std::array<std::uint8_t, 1> flags{};
  if (text.size() < kTraceparentSize || text[2] != '-' || text[35] != '-' || text[52] != '-' ||
      !read_hex(text.substr(3, 32), context.trace) ||
      !read_hex(text.substr(36, 16), context.parent) || !read_hex(text.substr(53, 2), flags) ||
      !context.known()) {
    return std::nullopt;
  }
  context.sampled = (flags[0] & kSampled) != 0;
  return context;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  std::array<std::uint8_t, 1> version{};
  if (!read_hex(text.substr(0, 2), version) || version[0] == 0xFF) return std::nullopt;
  if (version[0] == 0 && text.size() != kTraceparentSize) return std::nullopt;
  if (text.size() > kTraceparentSize && text[kTraceparentSize] != '-') return std::nullopt;
  auto context = read_fields(text);
  if (!context || !context->has_parent()) return std::nullopt;
  return context;
}

std::string traceparent_of(const TraceContext& context) {
  return traceparent(context, context.span);
}

std::string usable_tracestate(std::string_view text) {
  const bool fits = text.size() <= kLongestState && std::ranges::all_of(text, [](char c) {
                      return c == '\t' || (c >= ' ' && c < 0x7F);
                    });
  return fits ? std::string(text) : std::string();
}

std::optional<AmznTrace> parse_amzn_trace(std::string_view text) {
  AmznTrace read;
  bool rooted = false;
  while (!text.empty()) {
    const auto end = text.find(';');
    auto field = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    while (field.starts_with(' ')) field.remove_prefix(1);
    constexpr std::string_view kRoot = "Root=1-";
    constexpr std::string_view kParent = "Parent=";
    if (field.starts_with(kRoot)) {
      const auto root = field.substr(kRoot.size());
      if (root.size() != 33 || root[8] != '-') return std::nullopt;
      const std::span<std::uint8_t> trace(read.context.trace);
      rooted = read_hex(root.substr(0, 8), trace.first(4)) &&
               read_hex(root.substr(9), trace.last(12)) && read.context.known();
    } else if (field.starts_with(kParent)) {
      if (!read_hex(field.substr(kParent.size()), read.context.parent)) read.context.parent = {};
    } else if (field == "Sampled=1") {
      read.sampled = true;
    } else if (field == "Sampled=0") {
      read.sampled = false;
    }
  }
  if (!rooted) return std::nullopt;
  read.context.sampled = read.sampled.value_or(false);
  return read;
}

std::string amzn_trace_of(const TraceContext& context) {
  const auto trace = hex(context.trace);
  return fmt::format("Root=1-{}-{};Parent={};Sampled={}", trace.substr(0, 8), trace.substr(8),
                     hex(context.span), context.sampled ? 1 : 0);
}

std::string kept_text(const TraceContext& context) {
  return context.known() ? traceparent(context, context.parent) : std::string();
}

std::optional<TraceContext> parse_kept(std::string_view text) {
  if (text.size() != kTraceparentSize || !text.starts_with("00")) return std::nullopt;
  return read_fields(text);
}

std::string hex_of(const TraceContext::TraceId& id) {
  return hex(id);
}

std::string hex_of(const TraceContext::SpanId& id) {
  return hex(id);
}

}  // namespace lambda::observe
