// HTTP messages as plain values: what every folder above `http` works with. No Beast here.
// Values: any thread may make and move them; a message in use belongs to one coroutine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::http {

struct Header {
  Header(std::string name_text, std::string value_text)
      : name(std::move(name_text)), value(std::move(value_text)) {}
  std::string name;  // as written by the sender
  std::string value;
};

// Header fields in the order in which they came. Names compare without case. Repeated names are
// kept apart.
class Headers {
 public:
  // The first value, or nullptr.
  [[nodiscard]] const std::string* find(std::string_view name) const;
  [[nodiscard]] std::string_view get(std::string_view name, std::string_view otherwise = {}) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  // All values of one name joined with `separator`.
  [[nodiscard]] std::string joined(std::string_view name, std::string_view separator = ", ") const;
  void add(std::string name, std::string value);
  // Replaces every field of that name by one.
  void set(std::string name, std::string value);
  void remove(std::string_view name);

  [[nodiscard]] auto begin() const { return fields_.begin(); }
  [[nodiscard]] auto end() const { return fields_.end(); }
  [[nodiscard]] std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Header> fields_;
};

// Who is at the other end of a server's connection.
struct Peer {
  std::string address;  // "127.0.0.1", "::1"; "" for a unix socket
  std::uint16_t port = 0;
  bool loopback = false;  // a loopback address or a unix socket
  bool tls = false;
  std::uint16_t local_port = 0;  // the server's own port; 0 for a unix socket
  // Set for unix sockets alone: SO_PEERCRED.
  std::optional<std::uint32_t> unix_uid;
  std::optional<std::uint32_t> unix_gid;
  std::optional<std::int32_t> unix_pid;
};

struct Request {
  std::string method;  // "GET"
  std::string target;  // as on the wire: "/path?query", never decoded; absolute-form is reduced to
                       // path and query, unless ServerLimits::forwards
  unsigned version = 11;
  Headers headers;
  Peer peer;
  // Whose it was, in the handler's words, for RequestObserver. 0: it did not get so far.
  std::uint8_t door = 0;
  // What answers it and which version of that, in the handler's words, for RequestObserver. "":
  // nothing that the handler knows.
  std::string answerer;
  std::string answerer_version;

  // The parts of `target` before and after the first '?', as on the wire.
  [[nodiscard]] std::string_view path() const;
  [[nodiscard]] std::string_view query() const;
  // The first value of a query parameter, percent-decoded ('+' is a space).
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> query_values(std::string_view name) const;
};

// Query pairs in order, names and values percent-decoded.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_query(
    std::string_view query, bool plus_is_space = true);

struct Response {
  Response() = default;
  explicit Response(unsigned status_code) : status(status_code) {}
  Response(unsigned status_code, std::string content_type, std::string body_bytes);

  unsigned status = 200;
  Headers headers;  // Content-Length, Date, Connection and Transfer-Encoding are the connection's
                    // business
  std::string body;
};

[[nodiscard]] std::string_view reason_phrase(unsigned status);

}  // namespace lambda::http
