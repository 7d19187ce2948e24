// Included by .cc files of Shard alone.
#pragma once

#include "invoke/shard.h"

#include <string>
#include <utility>

namespace lambda::invoke {

class Shard::Admission {
 public:
  Admission(Shard& shard, std::string name) : shard_(shard), name_(std::move(name)) {
    ++shard_.in_flight_[name_];
  }
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() {
    const auto found = shard_.in_flight_.find(name_);
    if (--found->second == 0) shard_.in_flight_.erase(found);
  }

 private:
  Shard& shard_;
  std::string name_;
};

}  // namespace lambda::invoke
