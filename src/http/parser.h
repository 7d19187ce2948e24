// Beast's parser, filling our own messages: heads, and the chunked coding. Bodies with a length or
// to the end of the connection need no parser (see incoming_body.h). Included by .cc files of http/
// alone, because it brings Beast in.
#pragma once

#include "http/message.h"

#include <boost/beast/http/basic_parser.hpp>

#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

namespace lambda::http {

namespace bhttp = boost::beast::http;

template <bool is_request>
class Parser final : public bhttp::basic_parser<is_request> {
 public:
  using Message = std::conditional_t<is_request, Request, Response>;
  using ErrorCodeOut = boost::system::error_code;
  using View = boost::beast::string_view;

  explicit Parser(std::size_t head_limit) {
    this->body_limit(boost::none);
    this->header_limit(static_cast<std::uint32_t>(head_limit));
  }

  // Filled once is_header_done().
  Message message;
  // Fields after the last chunk.
  Headers trailers;
  // Chunk data that put() found, until somebody takes it.
  std::string chunk_data;

  [[nodiscard]] unsigned message_version() const { return version_; }

 private:
  void on_request_impl(bhttp::verb, View method, View target, int version, ErrorCodeOut&) override {
    version_ = static_cast<unsigned>(version);
    if constexpr (is_request) {
      message.method.assign(method.data(), method.size());
      message.target.assign(target.data(), target.size());
      message.version = version_;
    }
  }
  void on_response_impl(int code, View, int version, ErrorCodeOut&) override {
    version_ = static_cast<unsigned>(version);
    if constexpr (!is_request) message.status = static_cast<unsigned>(code);
  }
  void on_field_impl(bhttp::field, View name, View value, ErrorCodeOut&) override {
    auto& headers = head_done_ ? trailers : message.headers;
    headers.add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  void on_header_impl(ErrorCodeOut&) override { head_done_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCodeOut&) override {}
  std::size_t on_body_impl(View body, ErrorCodeOut&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, View, ErrorCodeOut&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, ErrorCodeOut&) override {
    chunk_data.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(ErrorCodeOut&) override {}

  bool head_done_ = false;
  unsigned version_ = 11;
};

}  // namespace lambda::http
