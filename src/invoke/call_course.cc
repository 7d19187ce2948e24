#include "invoke/call_course.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace lambda::invoke {
namespace {

using observe::CallEnd;
using observe::CallStep;
using std::chrono::microseconds;

microseconds between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration_cast<microseconds>(to - from);
}

CallStep step_of(sandbox::StartStep step) {
  switch (step) {
    case sandbox::StartStep::stem:
      return CallStep::stem;
    case sandbox::StartStep::cgroup:
      return CallStep::cgroup;
    case sandbox::StartStep::create:
      return CallStep::create;
    case sandbox::StartStep::clone:
      return CallStep::clone;
    case sandbox::StartStep::mount:
      return CallStep::mount;
    case sandbox::StartStep::launch:
      return CallStep::launch;
  }
  return CallStep::launch;
}

CallEnd end_of(FunctionError error) {
  switch (error) {
    case FunctionError::none:
      return CallEnd::success;
    case FunctionError::handled:
      return CallEnd::handler_error;
    case FunctionError::init:
      return CallEnd::init_error;
    case FunctionError::timeout:
      return CallEnd::timeout;
    case FunctionError::exit:
      return CallEnd::exit;
    case FunctionError::out_of_memory:
      return CallEnd::out_of_memory;
    case FunctionError::response_too_large:
      return CallEnd::response_too_large;
  }
  return CallEnd::exit;
}

CallEnd end_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::overloaded:
      return CallEnd::throttled;
    case ErrorCode::too_large:
    case ErrorCode::not_found:
      return CallEnd::refused;
    case ErrorCode::sandbox_failed:
    case ErrorCode::timeout:
      return CallEnd::sandbox_failed;
    case ErrorCode::function_failed:
      return CallEnd::exit;
    default:
      return CallEnd::unavailable;
  }
}

}  // namespace

microseconds CallCourse::from_begin(SteadyTime at) const {
  return between(begin_, at);
}

void CallCourse::take(const pool::Lease& lease) {
  instance_ = lease.instance().shared_from_this();
  cold_ = lease.cold();
  waited_ = lease.waited();
  thaw_ = lease.thaw();
  const auto& start = instance_->start_times();
  if (cold_ && start.end() > begin_) start_ = start;
}

// From 500 on an HTTP function says itself that it failed.
void CallCourse::set_status(unsigned status) {
  status_ = status;
  if (status >= 500) status_error_ = fmt::format("Http.{}", status);
}

void CallCourse::take(const pool::InstancePool::InitFailure& failure) {
  cold_ = true;
  start_ = failure.start;
  failed_init_ = failure.failure.type;
}

observe::CallRecord CallCourse::begun(const function::Resolved& target, SteadyTime end) const {
  observe::CallRecord record;
  record.function = target.function->name;
  record.version = version_;
  record.qualifier = target.qualifier;
  record.begin = wall_begin_;
  record.http = target.version->configuration.kind == function::Kind::http;
  record.cold = cold_;
  record.total = from_begin(end);
  record.status = status_;
  record.memory_peak_bytes = memory_peak_;
  record.payload_bytes = payload_bytes_;
  if (instance_) record.instance = instance_->id();
  add_steps(record, end);
  return record;
}

void CallCourse::add_start(observe::CallRecord& record) const {
  const auto start = from_begin(start_->begin);
  record.add(CallStep::sandbox, start, start_->sandbox);
  for (const auto& step : start_->sandbox_steps)
    record.add(step_of(step.step), from_begin(step.begin), step.duration);
  record.add(CallStep::init, start + start_->sandbox, start_->init);
}

void CallCourse::add_steps(observe::CallRecord& record, SteadyTime end) const {
  auto waited = waited_;
  if (instance_ == nullptr) waited = in_line_ ? record.total : microseconds(0);
  if (start_) waited = std::max(microseconds(0), from_begin(start_->begin));
  if (waited.count() > 0) record.add(CallStep::waiting, microseconds(0), waited);
  if (thaw_) record.add(CallStep::thaw, from_begin(thaw_->begin), thaw_->duration);
  if (start_) add_start(record);
  if (!handed_over_) return;
  const auto handler_end = answered_.value_or(end);
  record.add(CallStep::handler, from_begin(*handed_over_), between(*handed_over_, handler_end));
  if (answered_) record.add(CallStep::response, from_begin(*answered_), between(*answered_, end));
}

void CallCourse::set_error(observe::CallRecord& record, const Error& error) const {
  record.end = end_of(error.code());
  record.reason = error.message();
  if (record.end == CallEnd::throttled) record.error_type = error.aws_type();
}

observe::CallRecord CallCourse::record(const Call& call, const Result<Outcome>& outcome) const {
  auto record = begun(call.target, std::chrono::steady_clock::now());
  record.request_id = call.request_id;
  record.source = call.source;
  record.trace = call.trace;
  record.trace_state = call.trace_state;
  record.attempt = call.attempt;
  record.accepted = call.accepted;
  if (outcome) {
    record.amzn_trace_id = outcome->trace_id;
    record.end = end_of(outcome->error);
    record.error_type = outcome->error_type;
    record.response_bytes = outcome->payload.size();
  } else {
    set_error(record, outcome.error());
    record.amzn_trace_id = call.trace_id;
  }
  if (!failed_init_.empty()) record.end = CallEnd::init_error;
  return record;
}

observe::CallRecord CallCourse::record(const HttpCall& call, const HttpUse& use,
                                       SteadyTime end) const {
  auto record = begun(call.target, end);
  record.request_id = call.request_id;
  record.source = observe::CallSource::url;
  record.amzn_trace_id = call.trace_id;
  record.trace = call.trace;
  record.trace_state = call.trace_state;
  record.status = use.status;
  record.payload_bytes = use.payload_bytes;
  record.response_bytes = use.response_bytes;
  record.end = end_of(use.error);
  if (use.error == FunctionError::timeout) {
    record.error_type = "Sandbox.Timedout";
  } else if (use.error != FunctionError::none) {
    record.error_type = "Runtime.ExitError";
  } else if (!status_error_.empty()) {
    record.end = CallEnd::handler_error;
    record.error_type = status_error_;
  } else if (use.client_gone) {
    record.end = CallEnd::client_gone;
  }
  return record;
}

observe::CallRecord CallCourse::record(const HttpCall& call, const Error& error) const {
  auto record = this->record(call, HttpUse(), std::chrono::steady_clock::now());
  set_error(record, error);
  if (error.code() == ErrorCode::function_failed) {
    record.error_type = "Runtime.ExitError";
    if (!failed_init_.empty()) {
      record.error_type = failed_init_;
      record.end = CallEnd::init_error;
    }
  }
  return record;
}

}  // namespace lambda::invoke
