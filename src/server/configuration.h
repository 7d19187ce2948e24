// lambdad's configuration: a TOML file, the environment (LAMBDA_<KEY>) and flags (--<key>), in
// rising order of precedence. Everything is checked here, before anything starts; an error says
// which source, which key, what is wrong.
#pragma once

#include "base/blocking.h"
#include "base/egress_rules.h"
#include "base/result.h"
#include "function/function.h"
#include "http/server.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lambda::server {

struct Configuration {
  std::filesystem::path data_directory;
  std::filesystem::path runtimes_directory;
  std::vector<http::ListenAddress>
      listen;  // empty: loopback on port 80, or 8080 where 80 is not to be had
  std::string domain = "localhost";
  std::optional<function::DriverName> driver;  // absent: native where it can work, else docker
  std::filesystem::path socket;                // the unix socket; empty: none
  std::string account = "000000000000";
  std::string region = "us-east-1";
  std::string user = "lambda";  // whom lambdad becomes when it is started as root
  std::string docker_host;  // "unix:///run/docker.sock"; empty: DOCKER_HOST, else the usual places
  std::string log_level = "info";
  std::string log_format = "text";
  std::filesystem::path log_file;    // beside standard error; empty: none
  std::uint64_t log_file_size = 16;  // MB, of one file
  unsigned log_files = 5;            // that and earlier ones
  // Of one function.
  std::uint64_t function_log_size = 64;              // MB on disk
  std::chrono::seconds function_log_age{2'592'000};  // 0: no limit
  std::uint64_t function_log_rate = 8192;            // KB a second; 0: no limit
  std::uint64_t function_log_burst = 32'768;         // KB on top of that
  bool insecure = false;                             // keys over plain HTTP from beyond loopback
  bool metrics_open = false;      // /metrics without a key, for everybody who reaches the API
  unsigned loops = 0;             // event loops; 0: one a core
  std::size_t max_instances = 0;  // 0: from memory and descriptors
  std::size_t stems = 8;          // of a kind, at the most; 0: none
  std::uint32_t zygote_forks =
      64;  // runtimes of functions that one zygote forks; 0: none is forked
  // Of all functions on the native driver together.
  std::uint64_t memory_budget = 0;   // MB; 0: 90 % of the machine's
  std::uint64_t process_budget = 0;  // 0: 80 % of the process ids
  std::uint64_t body_memory = 0;     // MB; 0: an eighth of the machine's, kLeastBodyMemory at least
  std::chrono::milliseconds freeze_after{1'000};  // 0: never
  unsigned low_memory = 5;  // percent; below that idle instances are given up; 0: never
  std::chrono::seconds idle_time{300};
  EgressRule egress{true, {}};  // of functions that name none: the internet
  std::chrono::seconds drain_time{30};
  std::chrono::milliseconds longest_wait{30'000};
  std::size_t keep_versions = 5;
  std::chrono::days audit_age{365};      // 0: for ever
  std::size_t async_concurrency = 0;     // events at once; 0: events_at_once()
  bool async_open_urls = false;          // X-Lambda-Async where everybody may call
  std::chrono::seconds retry_delay{60};  // before an event's first retry; the next waits twice that
  int retries = 2;  // of an event that failed, where its function has no number of its own
  std::chrono::seconds max_event_age{21'600};  // where the function has none of its own
  std::chrono::seconds keep_results{3'600};
  std::chrono::seconds webhook_retry_delay{10};  // before the first retry; later ones grow with it
  std::chrono::seconds webhook_max_age{86'400};
  std::chrono::seconds webhook_timeout{15};
  std::chrono::milliseconds slow_call{1'000};  // a longer call's trace is kept; 0: not for that
  std::uint64_t trace_space = 64;              // MB, of slow and failed calls on disk
  std::chrono::seconds keep_traces{604'800};
  std::string otlp_endpoint;  // of a collector; empty: nothing is exported
  std::vector<std::pair<std::string, std::string>> otlp_headers;
  double otlp_sample = 1;
  std::vector<std::string> webhook_networks;  // internal ones that webhooks may go to all the same
  std::chrono::seconds build_time{600};       // of one installation of dependencies; 0: none at all
  std::uint64_t dependency_cache = 1'024;     // MB of what was installed, kept for the next deploy
  std::vector<std::string> build_networks;    // internal ones that builds may go to all the same
};

// MB: the largest request of the API has to fit in beside others.
inline constexpr std::uint64_t kLeastBodyMemory = 128;

// One key: its name as in TOML ("data_dir"); "--data-dir" and "LAMBDA_DATA_DIR" follow from it.
struct Key {
  std::string name;
  std::string value_name;  // "DIR"; "" for a switch
  std::string standard;    // the default, in words: "127.0.0.1 and ::1, port 80, else 8080"
  std::string help;
  std::function<Result<Done>(Configuration&, const std::string& text)> set;
  // As a TOML value; "" where nothing is set and the default decides at the start.
  std::function<std::string(const Configuration&)> show;
  bool repeatable = false;
};
[[nodiscard]] const std::vector<Key>& configuration_keys();

// Where values came from and what they are, lowest precedence first.
struct Setting {
  std::string key;
  std::vector<std::string> values;
  std::string
      source;  // "--listen", "LAMBDA_LISTEN in the environment", "/etc/lambda/lambdad.toml line 3"
};

Result<std::vector<Setting>> settings_from_file(const std::filesystem::path& path);
std::vector<Setting> settings_from_environment(const std::function<const char*(const char*)>& get);
// Applies them over the defaults of this machine (root or not).
Result<Configuration> make_configuration(const std::vector<Setting>& settings, bool root,
                                         const std::string& home);
// Every key with its value and where that came from, as a file that settings_from_file() reads.
[[nodiscard]] std::string describe(const Configuration& configuration,
                                   const std::vector<Setting>& settings);

}  // namespace lambda::server
