// Zygotes: a Python of a base file system, started and warmed up, that forks the runtimes of
// sandboxes: lambda-spawn makes the sandbox and its pid 1 as always, and the zygote's child goes
// into it (zygote_module.cc). Forking takes a tenth of what a start of Python takes, and what is
// not written to is one memory for all.
//
// A zygote is root's, as lambda-spawn is: it enters sandboxes. It executes the base file system's
// Python with our bootstrap and nothing else, hears lambda-spawn alone, and no function's code,
// environment or event ever gets there. It sees its base file system, read-only, and no other.
//
//   wanted -> starting --ready--> forks --`forks` of them, or another base file system, or not
//   wanted for a while--> its socket is closed: it carries out what it was told, and ends
//             \--ends of itself--> none for 1, 2, 4 ... 60 s: runtimes are executed meanwhile
//
// Whatever fails here, a sandbox's pid 1 sees its socket close and executes the runtime itself.
// Threads: lambda-spawn's only one.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "sandbox/native/cgroups.h"
#include "sandbox/native/seccomp_filter.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>

namespace lambda::sandbox::native {

struct ZygoteSettings {
  UniqueFd module;          // lambda-zygote.so; closed: there are no zygotes
  std::uint32_t forks = 0;  // of one zygote, at the most; 0: there are no zygotes
  // A test's, which leaves walls of sandboxes out, has none.
  bool allowed = true;
  std::chrono::seconds forget{600};  // then one that nobody wants is given up
};

class Zygotes {
 public:
  using Clock = std::chrono::steady_clock;
  // What is watched for it: the tag of an event is one of these bits and a number.
  static constexpr std::uint64_t kEndBit = 1ull << 33;
  static constexpr std::uint64_t kAnswerBit = 1ull << 34;
  // A fork that was asked for has been made, or not. False: nobody wants it any more.
  using Answered = std::function<bool(std::uint32_t sandbox)>;
  // For lambdad's log.
  using Tell = std::function<void(const std::string&)>;

  struct Parts {
    ZygoteSettings settings;
    int epoll = -1;
    const SeccompFilter* filter = nullptr;
    rlimit open_files{};
    Answered answered;
    Tell tell;
  };
  explicit Zygotes(Parts parts);
  ~Zygotes();
  Zygotes(const Zygotes&) = delete;
  Zygotes& operator=(const Zygotes&) = delete;

  // Whether a fork can be asked for; where none runs yet, one is started.
  [[nodiscard]] bool ready_for(const std::string& runtime);
  // Has the runtime of sandbox `number` forked, which `pid_one` and `cgroup` are of. `socket`: the
  // runtime's end. False: nothing was asked for.
  bool fork(const std::string& runtime, std::uint32_t number, const UniqueFd& pid_one,
            const Cgroup& cgroup, UniqueFd socket);
  // An event whose tag has one of the bits.
  void take(std::uint64_t tag);
  // Gives up what is not wanted, or does not answer. When to look again, at the latest.
  std::optional<Clock::time_point> look();

 private:
  struct Zygote;
  struct Place {  // of a runtime
    std::unique_ptr<Zygote> zygote;
    std::unique_ptr<Zygote> next;  // for when that one has forked enough
    Clock::time_point wanted{};
    Clock::time_point not_before{};
    std::chrono::seconds pause{0};
    // The base file system of which one was started, so root alone can write to its files.
    dev_t trusted_device = 0;
    ino_t trusted_inode = 0;
  };

  std::unique_ptr<Zygote> start(Place& place, const std::string& runtime, const struct stat& root);
  Result<std::unique_ptr<Zygote>> launch(const std::string& runtime, bool trusted);
  void ended(Zygote& zygote);
  void take_answers(Zygote& zygote);
  void note_fork(Zygote& zygote);
  void note_failed_fork(Zygote& zygote, const std::string& why);
  void retire(std::unique_ptr<Zygote>& zygote);
  void failed(Place& place, const std::string& runtime, const std::string& why);

  Parts parts_;
  std::map<std::string, Place> places_;
  std::map<std::uint32_t, Zygote*> by_number_;
  // Without orders; they end when they have carried out the last one.
  std::map<std::uint32_t, std::unique_ptr<Zygote>> retired_;
  std::uint32_t last_number_ = 0;
};

}  // namespace lambda::sandbox::native
