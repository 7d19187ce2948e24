// Result<T> and Error: how every expected failure travels.
//
// A function that can fail for a reason a person could act on returns Result<T>; exceptions are
// left for broken invariants. The message says what was tried, with what, why it failed, and what
// to do next; context is added where it is known with `fail(std::move(error), "start sandbox for
// {}", name)`. Plain values: any thread may make, move and destroy them.
#pragma once

#include <spdlog/fmt/fmt.h>
#include <tl/expected.hpp>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

namespace lambda {

// What went wrong, in kinds that a caller may tell apart. Mapped to HTTP in api/error_response.cc
// alone and to exit codes in cli/exit_code.cc alone.
enum class ErrorCode {
  not_found,        // the named thing does not exist
  invalid,          // the request is understood and wrong (AWS: InvalidParameterValueException)
  validation,       // a field's shape is wrong (AWS: ValidationException)
  bad_content,      // a body that is not JSON (AWS: InvalidRequestContentException)
  conflict,         // exists already, or busy with another change
  precondition,     // a RevisionId that is not the latest
  too_large,        // over a documented size
  unauthenticated,  // no key, an unknown one, a wrong signature
  denied,           // known caller, not allowed
  timeout,          // a deadline passed
  overloaded,       // a limit of concurrency was reached; try again
  no_room,          // the server holds as much as it may at the moment; try again
  function_failed,  // the function's own code failed (its payload travels beside, not in the Error)
  sandbox_failed,   // the isolation could not be made
  unavailable,      // a part this needs is not there (Docker, a runtime, the helper)
  unsupported,      // AWS has it, this server does not
  internal,         // a defect, or the machine is broken (disk full, out of descriptors)
};

[[nodiscard]] std::string_view to_string(ErrorCode code);

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  // Captures errno (read it on the very next line after the failing call): "<what>: <strerror>".
  static Error from_errno(std::string_view what, int error_number = errno);

  [[nodiscard]] ErrorCode code() const { return code_; }
  // The whole chain, outermost first, joined with ": ".
  [[nodiscard]] const std::string& message() const { return message_; }
  // A name of AWS's own for this failure where the code alone does not say it
  // ("InvalidZipFileException"), or "".
  [[nodiscard]] const std::string& aws_type() const { return aws_type_; }

  Error&& with_context(std::string_view context) &&;
  Error&& as(ErrorCode code) && {
    code_ = code;
    return std::move(*this);
  }
  Error&& with_aws_type(std::string type) && {
    aws_type_ = std::move(type);
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  std::string message_;
  std::string aws_type_;
};

template <class T>
using Result = tl::expected<T, Error>;

// return fail(ErrorCode::not_found, "no function named {}", name);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::unexpected<Error>(Error(code, fmt::format(format, std::forward<Args>(args)...)));
}

// return fail(std::move(result.error()), "open package {}", path);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(Error&& cause, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::unexpected<Error>(
      std::move(cause).with_context(fmt::format(format, std::forward<Args>(args)...)));
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error&& error) {
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace lambda
