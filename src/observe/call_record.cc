#include "observe/call_record.h"

namespace lambda::observe {

std::string_view to_string(CallSource source) {
  switch (source) {
    case CallSource::url:
      return "url";
    case CallSource::api:
      return "api";
    case CallSource::queue:
      return "queue";
    case CallSource::schedule:
      return "schedule";
    case CallSource::webhook:
      return "webhook";
  }
  return {};
}

std::string_view to_string(CallEnd end) {
  switch (end) {
    case CallEnd::success:
      return "success";
    case CallEnd::handler_error:
      return "handler_error";
    case CallEnd::init_error:
      return "init_error";
    case CallEnd::timeout:
      return "timeout";
    case CallEnd::exit:
      return "exit";
    case CallEnd::out_of_memory:
      return "out_of_memory";
    case CallEnd::response_too_large:
      return "response_too_large";
    case CallEnd::throttled:
      return "throttled";
    case CallEnd::refused:
      return "refused";
    case CallEnd::sandbox_failed:
      return "sandbox_failed";
    case CallEnd::unavailable:
      return "unavailable";
    case CallEnd::client_gone:
      return "client_gone";
  }
  return {};
}

std::string_view to_string(CallStep step) {
  switch (step) {
    case CallStep::waiting:
      return "waiting";
    case CallStep::thaw:
      return "thaw";
    case CallStep::sandbox:
      return "sandbox";
    case CallStep::stem:
      return "stem";
    case CallStep::cgroup:
      return "cgroup";
    case CallStep::create:
      return "create";
    case CallStep::clone:
      return "clone";
    case CallStep::mount:
      return "mount";
    case CallStep::launch:
      return "launch";
    case CallStep::init:
      return "init";
    case CallStep::handler:
      return "handler";
    case CallStep::response:
      return "response";
  }
  return {};
}

}  // namespace lambda::observe
