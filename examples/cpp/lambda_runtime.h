// A client of the Runtime API for functions in C++: one header, POSIX sockets, nothing to link.
//
//   int main() { return lambda_runtime::run([](const std::string& event) { return event; }); }
//
// The handler takes the event as JSON text and returns its result as JSON text. What it throws
// becomes the error of that one call; the program lives on. One thread, one connection that is kept
// open.
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace lambda_runtime {

using Handler = std::function<std::string(const std::string& event)>;

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

inline std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

inline std::string trim(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

class Connection {
 public:
  // `address` is AWS_LAMBDA_RUNTIME_API: an IPv4 address or "localhost", and a port.
  explicit Connection(const std::string& address) : host_(address) {
    const auto colon = address.rfind(':');
    if (colon == std::string::npos)
      throw std::runtime_error("AWS_LAMBDA_RUNTIME_API is no HOST:PORT: " + address);
    const auto host = address.substr(0, colon);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    const auto numeric = host == "localhost" ? std::string("127.0.0.1") : host;
    if (inet_pton(AF_INET, numeric.c_str(), &to.sin_addr) != 1)
      throw std::runtime_error("not an IPv4 address: " + host);
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0 || connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("cannot connect to the Runtime API at " + address);
    const int yes = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(socket_); }

  Reply call(const std::string& method, const std::string& path, const std::string& body = {}) {
    std::string request = method + " /2018-06-01/runtime/" + path + " HTTP/1.1\r\nHost: " + host_;
    if (method == "POST") {
      request += "\r\nContent-Type: application/json\r\nContent-Length: ";
      request += std::to_string(body.size());
    }
    send_all(request + "\r\n\r\n" + body);
    return receive();
  }

 private:
  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the Runtime API closed the connection");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  void read_more() {
    char piece[65536];
    const auto got = recv(socket_, piece, sizeof piece, 0);
    if (got <= 0) throw std::runtime_error("the Runtime API closed the connection");
    buffer_.append(piece, static_cast<std::size_t>(got));
  }

  std::string take(std::size_t count) {
    while (buffer_.size() < count) read_more();
    auto taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }

  std::string take_line() {
    auto end = buffer_.find('\n');
    for (; end == std::string::npos; end = buffer_.find('\n')) read_more();
    return trim(take(end + 1));
  }

  Reply receive() {
    Reply reply;
    const auto first = take_line();  // HTTP/1.1 200 OK
    reply.status = std::stoi(first.substr(first.find(' ') + 1));
    for (auto line = take_line(); !line.empty(); line = take_line()) {
      const auto colon = line.find(':');
      if (colon == std::string::npos) continue;
      reply.headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
    }
    if (lower(reply.headers["transfer-encoding"]) == "chunked") {
      while (const auto size = std::stoul(take_line(), nullptr, 16)) {
        reply.body += take(size);
        take_line();
      }
      while (!take_line().empty()) {
      }
    } else if (const auto& length = reply.headers["content-length"]; !length.empty()) {
      reply.body = take(std::stoul(length));
    }
    return reply;
  }

  std::string host_;
  std::string buffer_;
  int socket_ = -1;
};

inline std::string json_string(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20) {
      quoted += "\\u00";
      quoted += kHex[byte >> 4];
      quoted += kHex[byte & 15];
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

inline std::string error_object(const std::string& type, const std::string& message) {
  return R"({"errorMessage":)" + json_string(message) + R"(,"errorType":)" + json_string(type) +
         R"(,"stackTrace":[]})";
}

// One event after the other, until the Runtime API is gone.
inline int run(const Handler& handler) {
  const char* address = std::getenv("AWS_LAMBDA_RUNTIME_API");
  if (address == nullptr) {
    std::cerr << "AWS_LAMBDA_RUNTIME_API is not set: this program is started by Lambda\n";
    return 1;
  }
  try {
    Connection connection(address);
    for (;;) {
      const auto next = connection.call("GET", "invocation/next");
      if (next.status != 200)
        throw std::runtime_error("next was answered with " + std::to_string(next.status));
      const auto id = next.headers.at("lambda-runtime-aws-request-id");
      const auto trace = next.headers.find("lambda-runtime-trace-id");
      if (trace != next.headers.end()) setenv("_X_AMZN_TRACE_ID", trace->second.c_str(), 1);
      std::string operation = "response";
      std::string answer;
      try {
        answer = handler(next.body);
      } catch (const std::exception& error) {
        operation = "error";
        answer = error_object("Error", error.what());
        std::cerr << "[ERROR] " << error.what() << std::endl;
      }
      std::cout.flush();
      const auto posted = connection.call("POST", "invocation/" + id + "/" + operation, answer);
      if (posted.status != 202) std::cerr << "the answer was refused: " << posted.body << std::endl;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}

}  // namespace lambda_runtime
