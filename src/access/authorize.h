// May this caller do that? Scopes and patterns of a key, and AWS's words for a no. Pure.
#pragma once

#include "access/key_checker.h"
#include "base/blocking.h"
#include "base/result.h"
#include "store/grants.h"

#include <string>
#include <string_view>

namespace lambda::access {

struct Want {
  std::string action;    // "lambda:InvokeFunction"; of our own operations "lambda:ListKeys"
  store::Scopes needed;  // any of them
  std::string function;  // the one that it concerns, "" for none
  std::string resource;  // its ARN, or "*"
};

// Errors: denied, with AWS's text and what is missing.
[[nodiscard]] Result<Done> authorize(const Caller& caller, const Want& want);
// The same for what is for keys of all functions only; `why` says so: "this concerns ...".
[[nodiscard]] Result<Done> authorize_whole(const Caller& caller, const Want& want,
                                           std::string_view why = "this concerns the whole server");

}  // namespace lambda::access
