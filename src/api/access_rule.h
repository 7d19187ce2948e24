// What each operation asks of its caller, and what stands in the audit: every route has one, which
// names the scope that is needed and where the function is named that the request concerns. Plain
// values. docs/keys.md has the table.
#pragma once

#include "store/grants.h"

#include <string>
#include <string_view>

namespace lambda::api {

// What a request concerns.
enum class Subject {
  nobody,    // needs no key
  server,    // no function in particular; also for keys that are for some functions only
  whole,     // the whole server: not for those
  listing,   // functions: the operation shows those that Exchange::may_see() lets it
  function,  // the one that the first variable part names, in any of AWS's spellings
  body,      // the one that its body names: the operation asks Exchange::authorize() itself
  query,     // the one that ?function= names; without that as `listing`
  owner,     // the one that ?function= names; without that as `whole`
  event,     // the one of the event whose id is the first variable part
};

// Needs no default: a route is made with one.
class AccessRule {
 public:
  AccessRule(std::string_view operation, store::Scopes needed, Subject subject, bool changes)
      : operation_(operation), needed_(needed), subject_(subject), changes_(changes) {}

  // AWS's name of the operation, or ours: "UpdateFunctionCode".
  [[nodiscard]] const std::string& operation() const { return operation_; }
  [[nodiscard]] store::Scopes needed() const { return needed_; }
  [[nodiscard]] Subject subject() const { return subject_; }
  [[nodiscard]] bool needs_key() const { return subject_ != Subject::nobody; }
  // Neither a look nor an invocation: it stands in the audit before it begins.
  [[nodiscard]] bool changes() const { return changes_; }

 private:
  std::string operation_;
  store::Scopes needed_;
  Subject subject_;
  bool changes_;
};

inline constexpr store::Scopes kAnyKey =
    store::Scope::read | store::Scope::invoke | store::Scope::deploy | store::Scope::admin;

[[nodiscard]] inline AccessRule open_to_all() {
  return {"", store::Scopes(), Subject::nobody, false};
}
[[nodiscard]] inline AccessRule reads(std::string_view operation,
                                      Subject subject = Subject::function) {
  return {operation, store::Scope::read, subject, false};
}
[[nodiscard]] inline AccessRule invokes(std::string_view operation) {
  return {operation, store::Scope::invoke, Subject::function, false};
}
[[nodiscard]] inline AccessRule changes(std::string_view operation,
                                        Subject subject = Subject::function) {
  return {operation, store::Scope::deploy, subject, true};
}
// Calls functions, and not as a caller does: whoever may call or deploy may do it.
[[nodiscard]] inline AccessRule runs_again(std::string_view operation,
                                           Subject subject = Subject::function) {
  return {operation, store::Scope::invoke | store::Scope::deploy, subject, true};
}
[[nodiscard]] inline AccessRule administers(std::string_view operation, bool changes) {
  return {operation, store::Scope::admin, Subject::whole, changes};
}
// What this server does not do, whoever asks.
[[nodiscard]] inline AccessRule refuses(std::string_view operation) {
  return {operation, kAnyKey, Subject::server, false};
}

}  // namespace lambda::api
