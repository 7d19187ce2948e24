#include "invoke/failure_payload.h"

#include <gtest/gtest.h>

namespace lambda::invoke {
namespace {

TEST(FailurePayload, OfATimeoutIsAwss) {
  pool::Failure failure;
  failure.kind = pool::Failure::Kind::timeout;
  failure.type = "Sandbox.Timedout";
  failure.reason = "Task timed out after 3.00 seconds";
  const auto made = payload_of(failure, "8f");
  EXPECT_EQ(
      made.payload,
      R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 8f Error: Task timed out after 3.00 seconds"})");
  EXPECT_EQ(made.error, FunctionError::timeout);
}

TEST(FailurePayload, KeepsTheRuntimesOwnWordsUntouched) {
  pool::Failure failure;
  failure.kind = pool::Failure::Kind::init;
  failure.type = "Runtime.ImportModuleError";
  failure.payload = R"({ "errorType":"Runtime.UserCodeSyntaxError",  "trace": []})";
  const auto made = payload_of(failure, "8f");
  EXPECT_EQ(made.payload, failure.payload);
  EXPECT_EQ(made.type, "Runtime.UserCodeSyntaxError");
}

TEST(FailurePayload, SumsUpWhatWasSaid) {
  pool::Failure failure;
  failure.type = "Runtime.ExitError";
  EXPECT_EQ(summary_of(failure), "Runtime.ExitError");
  failure.reason = "Runtime exited with error: exit status 127";
  EXPECT_EQ(summary_of(failure), failure.reason);
  failure.detail = "cannot execute /var/task/bootstrap: Permission denied";
  EXPECT_EQ(summary_of(failure), failure.detail);
  failure.payload = R"({"errorType":"TypeError","errorMessage":"no such\nthing","trace":["x"]})";
  EXPECT_EQ(summary_of(failure), "TypeError: no such");
  failure.payload = R"({"errorMessage":""})";
  EXPECT_EQ(summary_of(failure), "Runtime.ExitError");
}

TEST(FailurePayload, NamesTheLimitOfAResponse) {
  EXPECT_EQ(
      response_too_large("x").payload,
      R"({"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum )"
      R"(allowed payload size (6291556 bytes)."})");
}

TEST(FailurePayload, ErrorTypeOfWhatIsNoObjectIsEmpty) {
  EXPECT_EQ(error_type_in("not json"), "");
  EXPECT_EQ(error_type_in("[1]"), "");
  EXPECT_EQ(error_type_in(R"({"errorType":1})"), "");
  EXPECT_EQ(error_type_in(R"({"errorType":"A"})"), "A");
}

}  // namespace
}  // namespace lambda::invoke
