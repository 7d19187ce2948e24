// Steps: find the parts of the signature -> check scope and time -> rebuild the canonical request
// -> compare in constant time. Where the request names its body's hash all of that needs no body.
#include "access/sigv4.h"

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/time_text.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <functional>

namespace lambda::access {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr auto kSkew = std::chrono::minutes(5);
constexpr int kMaxExpires = 604'800;

tl::unexpected<Error> incomplete(std::string message) {
  return fail(Error(ErrorCode::unauthenticated, std::move(message))
                  .with_aws_type("IncompleteSignatureException"));
}
tl::unexpected<Error> invalid(std::string message) {
  return fail(Error(ErrorCode::unauthenticated, std::move(message))
                  .with_aws_type("InvalidSignatureException"));
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Credential=<id>/<date>/<region>/<service>/aws4_request
Result<Done> read_credential(std::string_view credential, Signature& signature) {
  const auto parts = split(credential, '/');
  if (parts.size() != 5 || parts[4] != "aws4_request") {
    return incomplete("Credential must be ID/DATE/REGION/SERVICE/aws4_request, which it is not.");
  }
  signature.key_id = parts[0];
  signature.date = parts[1];
  signature.region = parts[2];
  signature.service = parts[3];
  return Done{};
}

Result<std::optional<Signature>> from_header(std::string_view header,
                                             const http::Request& request) {
  Signature signature;
  header.remove_prefix(kAlgorithm.size());
  bool credential = false;
  for (const auto& part : split(header, ',')) {
    const auto item = trim(part);
    const auto equals = item.find('=');
    const auto name = item.substr(0, equals);
    const auto value =
        equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    if (name == "Credential") {
      credential = true;
      auto read = read_credential(value, signature);
      if (!read) return fail(std::move(read.error()));
    } else if (name == "SignedHeaders") {
      signature.signed_headers = split(value, ';');
    } else if (name == "Signature") {
      signature.signature = value;
    }
  }
  signature.time = request.headers.get("X-Amz-Date");
  if (!credential) return incomplete("Authorization header requires 'Credential' parameter.");
  if (signature.signature.empty())
    return incomplete("Authorization header requires 'Signature' parameter.");
  if (signature.signed_headers.empty())
    return incomplete("Authorization header requires 'SignedHeaders' parameter.");
  if (signature.time.empty())
    return incomplete("Authorization header requires existence of an 'X-Amz-Date' header.");
  return signature;
}

Result<std::optional<Signature>> from_query(const http::Request& request) {
  Signature signature;
  signature.presigned = true;
  const auto credential = request.query_value("X-Amz-Credential");
  const auto headers = request.query_value("X-Amz-SignedHeaders");
  const auto value = request.query_value("X-Amz-Signature");
  const auto time = request.query_value("X-Amz-Date");
  const auto expires = request.query_value("X-Amz-Expires");
  if (!credential || !headers || !value || !time || !expires) {
    return incomplete(
        "A presigned URL needs X-Amz-Credential, X-Amz-Date, X-Amz-Expires, X-Amz-SignedHeaders "
        "and X-Amz-Signature.");
  }
  auto read = read_credential(*credential, signature);
  if (!read) return fail(std::move(read.error()));
  signature.signed_headers = split(*headers, ';');
  signature.signature = *value;
  signature.time = *time;
  const auto [end, error] = std::from_chars(expires->data(), expires->data() + expires->size(),
                                            signature.expires_seconds);
  if (error != std::errc() || end != expires->data() + expires->size() ||
      signature.expires_seconds < 1 || signature.expires_seconds > kMaxExpires) {
    return incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800.");
  }
  return signature;
}

// "20260102T030405Z"
std::optional<WallTime> parse_time(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%Y%m%dT%H%M%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&parts)));
}

std::string format_time(WallTime time) {
  const auto seconds = static_cast<std::time_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  const auto length = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return {text, length};
}

std::string canonical_query(const http::Request& request) {
  auto pairs = http::parse_query(request.query(), false);
  std::erase_if(pairs, [](const auto& pair) { return pair.first == "X-Amz-Signature"; });
  for (auto& [name, value] : pairs) {
    name = percent_encode(name);
    value = percent_encode(value);
  }
  std::ranges::sort(pairs);
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += '&';
    text.append(name).append("=").append(value);
  }
  return text;
}

// Trimmed, with runs of spaces made one.
std::string squeeze(std::string_view value) {
  std::string text;
  for (const char c : trim(value)) {
    if (c == ' ' && text.ends_with(' ')) continue;
    text += c;
  }
  return text;
}

std::string canonical_headers(const http::Request& request, const Signature& signature) {
  std::string text;
  for (const auto& name : signature.signed_headers) {
    std::string values;
    bool first = true;
    for (const auto& field : request.headers) {
      if (!equals_ignoring_case(field.name, name)) continue;
      if (!first) values += ',';
      values += squeeze(field.value);
      first = false;
    }
    text.append(name).append(":").append(values).append("\n");
  }
  return text;
}

constexpr const char* kHashHeader = "X-Amz-Content-Sha256";
constexpr std::string_view kUnsignedBody = "UNSIGNED-PAYLOAD";

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string payload_hash(const http::Request& request, std::string_view body) {
  const auto* declared = request.headers.find(kHashHeader);
  return declared != nullptr ? *declared : hex_encode(sha256(body));
}

std::string join(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text.append(text.empty() ? "" : ";").append(item);
  return text;
}

std::string scope(const Signature& signature) {
  return fmt::format("{}/{}/{}/aws4_request", signature.date, signature.region, signature.service);
}

// "2026-01-02 03:04:05 UTC"
std::string spoken_time(WallTime time) {
  auto text = format_iso(std::chrono::floor<std::chrono::seconds>(time)).substr(0, 19);
  text[10] = ' ';
  return text + " UTC";
}

}  // namespace

Result<Done> check_time(const Signature& signature, WallTime now) {
  const auto signed_at = parse_time(signature.time);
  if (!signed_at || signature.time.substr(0, 8) != signature.date) {
    return invalid(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        "HTTP.");
  }
  const std::chrono::seconds life =
      signature.presigned ? std::chrono::seconds(signature.expires_seconds) : kSkew;
  const auto remedy =
      fmt::format("It is {} on the server: set this machine's clock", spoken_time(now));
  if (now > *signed_at + life) {
    const auto minutes = std::chrono::ceil<std::chrono::minutes>(life).count();
    return invalid(fmt::format("Signature expired: {} is now earlier than {} ({} - {} min.)",
                               signature.time, format_time(now - life), format_time(now), minutes) +
                   (signature.presigned ? std::string() : ". " + remedy));
  }
  if (*signed_at > now + kSkew) {
    return invalid(
        fmt::format("Signature not yet current: {} is still later than {} ({} + 5 min.). {}",
                    signature.time, format_time(now + kSkew), format_time(now), remedy));
  }
  return Done{};
}

Result<std::optional<Signature>> find_signature(const http::Request& request) {
  const auto header = request.headers.get("Authorization");
  if (header.starts_with(kAlgorithm)) return from_header(header, request);
  if (request.query_value("X-Amz-Algorithm") == std::string(kAlgorithm)) return from_query(request);
  return std::optional<Signature>();
}

namespace {

// What is signed, but for the path, which stands between the two.
struct Canonical {
  std::string after_path;
  [[nodiscard]] std::string with(const http::Request& request, std::string_view path) const {
    return fmt::format("{}\n{}\n{}", request.method, path.empty() ? "/" : percent_encode(path, "/"),
                       after_path);
  }
};

Canonical canonical_parts(const http::Request& request, const Signature& signature,
                          std::string_view body) {
  return {fmt::format("{}\n{}\n{}\n{}", canonical_query(request),
                      canonical_headers(request, signature), join(signature.signed_headers),
                      payload_hash(request, body))};
}

// Without its empty segments and those that are ".": so AWS's clients sign a path, whatever they
// send. ".." stays: it would let what was signed for one function be sent to another.
std::string plain_path(std::string_view path) {
  std::string plain;
  for (const auto& segment : split(path, '/')) {
    if (!segment.empty() && segment != ".") plain.append("/").append(segment);
  }
  return plain.empty() || path.ends_with('/') ? plain + "/" : plain;
}

}  // namespace

std::string canonical_request(const http::Request& request, const Signature& signature,
                              std::string_view body) {
  return canonical_parts(request, signature, body).with(request, request.path());
}

std::string string_to_sign(const Signature& signature, std::string_view canonical) {
  return fmt::format("{}\n{}\n{}\n{}", kAlgorithm, signature.time, scope(signature),
                     hex_encode(sha256(canonical)));
}

std::string signing_key(const Signature& signature, std::string_view secret) {
  auto key = hmac_sha256("AWS4" + std::string(secret), signature.date);
  key = hmac_sha256(key, signature.region);
  key = hmac_sha256(key, signature.service);
  return hmac_sha256(key, "aws4_request");
}

namespace {

Result<Done> check_scope(const http::Request& request, const Signature& signature, WallTime now) {
  if (signature.service != "lambda")
    return invalid("Credential should be scoped to correct service: 'lambda'.");
  if (signature.region.empty()) return invalid("Credential should be scoped to a valid region.");
  if (std::ranges::find(signature.signed_headers, "host") == signature.signed_headers.end()) {
    return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.");
  }
  // As AWS has them. One that is named often would be canonicalised as often.
  if (std::ranges::adjacent_find(signature.signed_headers, std::greater_equal()) !=
      signature.signed_headers.end()) {
    return invalid("SignedHeaders must be lower-case names in their order, each named once.");
  }
  const auto* declared = request.headers.find(kHashHeader);
  if (declared != nullptr && *declared != kUnsignedBody && !is_hash(*declared)) {
    return invalid(
        "X-Amz-Content-Sha256 must be a SHA-256 in lower-case hex, or UNSIGNED-PAYLOAD.");
  }
  return check_time(signature, now);
}

Result<Done> compare(const http::Request& request, const Signature& signature,
                     std::string_view secret, std::string_view body) {
  const auto key = signing_key(signature, secret);
  const auto canonical = canonical_parts(request, signature, body);
  const auto fits = [&](std::string_view path) {
    const auto text = string_to_sign(signature, canonical.with(request, path));
    return equals_in_constant_time(hex_encode(hmac_sha256(key, text)), signature.signature);
  };
  const auto path = request.path();
  const auto plain = plain_path(path);
  if (!fits(path) && (plain == path || !fits(plain))) {
    return invalid(
        "The request signature we calculated does not match the signature you provided. Check your "
        "AWS Secret Access Key "
        "and signing method. Consult the service documentation for details.");
  }
  return Done{};
}

}  // namespace

Result<Done> verify_before_body(const http::Request& request, const Signature& signature,
                                std::string_view secret, WallTime now) {
  auto in_scope = check_scope(request, signature, now);
  if (!in_scope || !request.headers.has(kHashHeader)) return in_scope;
  return compare(request, signature, secret, {});
}

Result<Done> verify_signature(const http::Request& request, const Signature& signature,
                              std::string_view secret, std::string_view body, WallTime now) {
  auto in_scope = check_scope(request, signature, now);
  if (!in_scope) return in_scope;
  const auto* declared = request.headers.find(kHashHeader);
  if (declared != nullptr && *declared != kUnsignedBody &&
      !equals_in_constant_time(*declared, hex_encode(sha256(body)))) {
    return invalid("The body's SHA-256 is not the one in X-Amz-Content-Sha256.");
  }
  return compare(request, signature, secret, body);
}

}  // namespace lambda::access
