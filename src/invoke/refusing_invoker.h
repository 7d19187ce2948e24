// For tests alone: an invoker in which nothing runs. Every call of it is answered with an error; a
// test overrides what it is about. Any thread.
#pragma once

#include "invoke/invoker.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace lambda::invoke {

class RefusingInvoker : public Invoker {
 public:
  Task<Result<Outcome>> invoke(Call) override { co_return refusal(); }
  Task<Result<std::unique_ptr<HttpLease>>> open_http(HttpCall) override { co_return refusal(); }
  Task<Result<Timing>> prepare(function::VersionPtr, InitFailure&) override { co_return refusal(); }
  void adopt_prepared(function::VersionPtr, function::VersionPtr) override {}
  void abandon_prepared(function::VersionPtr) override {}
  Task<Result<Done>> run_builtin(function::VersionPtr, std::vector<std::string>,
                                 std::chrono::seconds, TakeAnswer) override {
    co_return refusal();
  }
  Task<Result<Done>> run_tool(function::VersionPtr, std::vector<std::string>, UseSandbox) override {
    co_return refusal();
  }
  void retire(const std::vector<function::VersionPtr>&) override {}
  Task<bool> runs(function::VersionPtr) override { co_return false; }

 private:
  static tl::unexpected<Error> refusal() { return fail(ErrorCode::internal, "not here"); }
};

}  // namespace lambda::invoke
