// The server's side of AWS's Runtime API (version 2018-06-01) for one instance: what a runtime
// inside the sandbox calls at 127.0.0.1:9001 to fetch its next event and to hand back results.
//
//   initialising --next--> ready <-------next------- responded
//        |                   |                        ^
//    init/error        event given --> busy --body--> responding (response | error)
//        v
//      failed
//
// Threads: one loop. What serves the connections is shared with them, so it may be destroyed at any
// time; close() waits until the last one is gone. Never inspects or changes the bytes it carries.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lambda::sandbox {

// The largest body that /response takes: 6 MiB and 100 bytes, as on AWS.
inline constexpr std::size_t kMaxResponseBytes = 6 * 1024 * 1024 + 100;

// What GET .../next carries.
struct RuntimeEvent {
  std::string request_id;
  std::string payload;
  std::string invoked_arn;
  std::string trace_id;
  std::string client_context;  // "" : header left out
  std::chrono::sys_time<std::chrono::milliseconds> deadline{};
};

// What came back for one event.
struct RuntimeReply {
  enum class Kind {
    response,            // body is the function's result
    error,               // body is the runtime's error object, error_type its header (may be "")
    response_too_large,  // refused with 413; the runtime lives on
    invalid_mode,        // a response mode that does not exist
  };
  Kind kind = Kind::response;
  std::string body;
  std::string error_type;
};

// How the initialisation ended.
struct InitReply {
  bool ready = false;
  std::string body;        // of /init/error
  std::string error_type;  // of /init/error
};

class RuntimeApi {
 public:
  // Takes the listening socket of the sandbox and serves it on the loop of `executor`.
  // Errors: internal (the loop cannot watch it).
  static Result<std::unique_ptr<RuntimeApi>> open(LoopExecutor executor, UniqueFd listener);
  ~RuntimeApi();
  RuntimeApi(const RuntimeApi&) = delete;
  RuntimeApi& operator=(const RuntimeApi&) = delete;

  // Resolves with the first `next`, with an init error, or with nothing at the deadline or when
  // abandon() was called.
  Task<std::optional<InitReply>> wait_init(std::chrono::steady_clock::time_point deadline);

  // Gives one event to the runtime, at once or as soon as it asks, and waits for its answer.
  // Nothing at the deadline or when abandon() was called. One event at a time; only after
  // wait_init() said ready.
  Task<std::optional<RuntimeReply>> run(RuntimeEvent event,
                                        std::chrono::steady_clock::time_point deadline);

  // True while the runtime waits in `next`.
  [[nodiscard]] bool runtime_is_waiting() const;
  // Resolves true as soon as it does, false at the deadline or when abandon() was called.
  Task<bool> wait_until_waiting(std::chrono::steady_clock::time_point deadline);
  // The runtime is gone: whoever waits in wait_init() or run() gets nothing.
  void abandon();
  [[nodiscard]] bool abandoned() const;
  // Ends every connection and the listener; resolves when nothing of it runs any more.
  Task<void> close();

 private:
  struct Impl;
  explicit RuntimeApi(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace lambda::sandbox
