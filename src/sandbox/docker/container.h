// One container in the Engine, from its creation to its removal, without what runs inside.
// Threads: one loop. Held by shared_ptr: making and removing go on when whoever asked has left.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "sandbox/docker/control_socket.h"
#include "sandbox/docker/engine_client.h"
#include "sandbox/sandbox.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lambda::sandbox::docker {

struct Container {
  Container(LoopExecutor loop, std::shared_ptr<EngineClient> client, ControlSocket socket)
      : executor(loop), engine(std::move(client)), control(std::move(socket)) {}
  // Removes it in the background.
  void discard() const;

  LoopExecutor executor;
  std::shared_ptr<EngineClient> engine;
  ControlSocket control;
  std::vector<std::string> volumes;  // names, removed with it
  std::string id;                    // the Engine's; "" before it is created
  AsyncEvent made;                   // runs, or `error` says why not
  std::vector<StartStepTime> steps;  // that are done
  std::optional<Error> error;        // nothing is left of it then, or it is being removed
  bool taken = false;                // a sandbox will remove it
  bool abandoned = false;            // nobody wants it any more: removed as soon as it is made
};

// The Engine is not told to hurry: whoever waits has a deadline of its own, and what comes too late
// is removed.
inline constexpr std::chrono::seconds kMakeLimit{120};

// Creates and starts it. `limit`: for each of the two.
Task<void> make_container(std::shared_ptr<Container> container, std::string name, std::string body,
                          std::chrono::steady_clock::duration limit = kMakeLimit);

// For a container whose creation was asked for and not answered: the Engine may still make it.
// Removes it in the background when it appears, within the hour.
void remove_when_made(LoopExecutor executor, std::shared_ptr<EngineClient> engine, std::string name,
                      std::vector<std::string> volumes = {});
// Whether such an error leaves open what the Engine does; `sent`: see EngineClient::call().
[[nodiscard]] bool leaves_open(const Error& error, bool sent);

// Removes a container with everything in it, running or paused, and its volumes; what is gone is
// fine.
Task<Result<Done>> remove_container(std::shared_ptr<EngineClient> engine, std::string id,
                                    std::vector<std::string> volumes = {});
Task<Result<Done>> remove_volume(std::shared_ptr<EngineClient> engine, std::string name);

// What it came to and said, when it does not run any more.
Task<std::optional<std::string>> last_words_of(const Container& container,
                                               std::chrono::steady_clock::time_point deadline);

// Removes a container in the background when a start is left half-way, by an error, a deadline or
// cancellation.
class AbandonUnlessTaken {
 public:
  explicit AbandonUnlessTaken(std::shared_ptr<Container> container)
      : container_(std::move(container)) {}
  ~AbandonUnlessTaken();
  AbandonUnlessTaken(const AbandonUnlessTaken&) = delete;
  AbandonUnlessTaken& operator=(const AbandonUnlessTaken&) = delete;

 private:
  std::shared_ptr<Container> container_;
};

// Pure: the ids in an answer of /containers/json; the names in one of /volumes; the VOLUMEs in one
// of /images/ID/json; the text in one of /containers/ID/logs (Docker's frames: 8 bytes of head,
// then text). Without those that the run `but` made.
Result<std::vector<std::string>> ids_in(std::string_view answer, std::string_view but = {});
[[nodiscard]] std::vector<std::string> volumes_in(std::string_view answer,
                                                  std::string_view but = {});
[[nodiscard]] std::vector<std::string> declared_volumes(std::string_view answer);
[[nodiscard]] std::string log_text(std::string_view frames);

}  // namespace lambda::sandbox::docker
