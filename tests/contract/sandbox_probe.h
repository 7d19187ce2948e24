// For tests that run programs in sandboxes: a spec to start from, and a sandbox with its output.
#pragma once

#include "base/loop_runner.h"
#include "driver_host.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fcntl.h>
#include <map>
#include <memory>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::sandbox {

inline std::chrono::steady_clock::time_point in_seconds(int seconds) {
  return std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
}

// A unique id in every test program.
inline std::string next_id() {
  static int count = 0;
  return "t" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

inline SandboxSpec python_spec(std::string code) {
  SandboxSpec spec;
  spec.id = next_id();
  spec.function = "probe";
  spec.version = "1";
  spec.runtime = "python3.11";
  spec.argv = {"/usr/bin/python3", "-I", "-S", "-c", std::move(code)};
  spec.environment = {{"PATH", "/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  spec.working_directory = "/tmp";
  return spec;
}

// What comes from `fd` until it ends, or until `stop_at` was read, or 20 s have passed.
inline std::string read_output(int fd, const std::string& stop_at = {}) {
  std::string text;
  const auto deadline = in_seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd ready{fd, POLLIN, 0};
    if (::poll(&ready, 1, 100) <= 0) continue;
    char buffer[65536];
    const ssize_t count = ::read(fd, buffer, sizeof(buffer));
    if (count == 0) return text;
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
    if (!stop_at.empty() && text.find(stop_at) != std::string::npos) return text;
  }
  return text + "<no end>";
}

struct Outcome {
  ExitStatus exit;
  std::string output;
};

class SandboxTest : public testing::Test {
 protected:
  static void make_host(const DriverHostFactory& factory) {
    host_name = factory.name;
    host = factory.make();
  }
  void TearDown() override {
    for (auto& sandbox : sandboxes_) {
      auto stopped = run_on(loop_, sandbox->stop());
      EXPECT_TRUE(stopped) << stopped.error().message();
    }
    sandboxes_.clear();
  }

  Result<Sandbox*> start(SandboxSpec spec, int seconds = 20) {
    auto started = run_on(loop_, host->driver().start(std::move(spec), in_seconds(seconds)));
    if (!started) return fail(std::move(started.error()));
    sandboxes_.push_back(std::move(*started));
    return sandboxes_.back().get();
  }

  // Start, wait for the end, stop.
  Outcome run(SandboxSpec spec) {
    Outcome outcome;
    auto sandbox = start(std::move(spec));
    EXPECT_TRUE(sandbox) << sandbox.error().message();
    if (!sandbox) return outcome;
    const UniqueFd log = (*sandbox)->take_log();
    outcome.exit = run_on(loop_, (*sandbox)->wait_exit());
    stop(**sandbox);
    outcome.output = read_output(log.get());
    return outcome;
  }
  Outcome run(std::string code) { return run(python_spec(std::move(code))); }

  void stop(Sandbox& sandbox) {
    auto stopped = run_on(loop_, sandbox.stop());
    EXPECT_TRUE(stopped) << stopped.error().message();
    EXPECT_EQ(host->leftovers(sandbox.id()), "");
  }

  static inline std::unique_ptr<DriverHost> host;
  static inline std::string host_name;
  Loop loop_{1};
  std::vector<std::unique_ptr<Sandbox>> sandboxes_;
};

}  // namespace lambda::sandbox
