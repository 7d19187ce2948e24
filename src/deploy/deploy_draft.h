// One deploy on its way, for staged_deployer.cc and environment_change.cc alone.
#pragma once

#include "deploy/receive.h"
#include "deploy/staged_deployer.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace lambda::deploy {

struct StagedDeployer::Draft {
  function::Package package;
  std::shared_ptr<TemporaryFile> context;
  function::FunctionPtr before;  // null: a new function
  std::shared_ptr<function::Version>
      version;       // what the deploy makes; becomes immutable when it is started
  std::string note;  // what of its settings may surprise
  std::optional<function::Configuration> kept;  // what $LATEST has then, where it stays beside it
  std::shared_ptr<const void> image_pin;        // until the commit
  std::optional<std::uint16_t> exposed_port;    // of an image, the lowest
  std::uint64_t secrets = 0;                    // their revision when the instance was started
  int step = 2;                                 // what is shown next; the client's own is the first
  bool unchanged = false;
  bool prepared = false;
  std::chrono::microseconds init{0};
};

}  // namespace lambda::deploy
