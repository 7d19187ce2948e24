// The commands of `lambda`, one file each (or one family). Each returns the exit code. Blocking;
// main thread.
#pragma once

#include "cli/connection/server_connection.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lambda::cli {

struct InitOptions {
  std::string folder = ".";
  std::string runtime = "python3.11";
  std::string name;
};
// Writes a function to begin with.
int init(const InitOptions& options);

struct DeployOptions {
  std::string folder = ".";
  std::string name;
  std::optional<std::string> runtime, handler, kind, description, url, driver, isolation, image;
  std::optional<std::string> log_size, log_age, egress;
  std::optional<std::int64_t> timeout, memory, ephemeral_storage, port, concurrency;
  std::optional<std::int64_t> idle_time, min_instances;
  std::optional<double> cpus;
  std::vector<std::string> environment;  // K=V
  std::string environment_file;
  bool environment_clear = false;
  std::vector<std::string> secrets;  // NAME, NAME:file
  bool secrets_clear = false;
  std::vector<std::string> tags;  // K=V
  std::string message;
  bool build = false;                          // install dependencies on the server
  bool no_cache = false;                       // anew
  std::vector<std::string> build_environment;  // K=V
  bool all = false;
  bool json = false;
};
int deploy(const ConnectionOptions& connection, const DeployOptions& options);

struct InvokeOptions {
  std::string name;
  std::optional<std::string> data;
  std::string file;
  std::string qualifier;
  bool timing = false;
  bool logs = false;
  bool async = false;  // put it into the queue
  bool wait = false;   // and wait for its result
  std::string token;   // the same event, however often it is submitted
};
int invoke(const ConnectionOptions& connection, const InvokeOptions& options);

int list(const ConnectionOptions& connection, bool json);
int remove(const ConnectionOptions& connection, const std::string& name, bool yes, bool json);
int versions(const ConnectionOptions& connection, const std::string& name, bool json);
// `back`: rollback, else promote.
int move_live(const ConnectionOptions& connection, const std::string& name,
              std::optional<std::uint64_t> version, bool back, bool json);
int set_url(const ConnectionOptions& connection, const std::string& name, const std::string& auth,
            bool json);

struct AliasOptions {
  std::string function;
  std::string alias;
  std::vector<std::string> targets;  // "7", or "7=90" and "8=10"
  std::optional<std::string> description;
  bool yes = false;
  bool json = false;
};
int alias_list(const ConnectionOptions& connection, const AliasOptions& options);
// Makes or moves it; prints what is in effect then.
int alias_set(const ConnectionOptions& connection, const AliasOptions& options);
int alias_delete(const ConnectionOptions& connection, const AliasOptions& options);

inline constexpr std::uint64_t kUsualLines = 100;
inline constexpr std::uint64_t kMostLines = 10'000;  // the server answers with no more
struct LogsOptions {
  std::string name;
  bool follow = false;
  std::uint64_t lines = kUsualLines;
  bool lines_given = false;
  bool all = false;          // since a time, or until one: as many as there are
  std::string since, until;  // as the server understands them: "1h", "2026-01-31T09:30:00Z"
  std::string search;
  std::string level;
  std::string request_id;
  std::string version;
  bool json = false;
};
int logs(const ConnectionOptions& connection, const LogsOptions& options);

struct TraceOptions {
  std::string id;        // of a request
  std::string function;  // or the function whose calls are listed
  std::uint64_t limit = 20;
  bool slow = false;
  bool failed = false;
  bool json = false;
};
int trace(const ConnectionOptions& connection, const TraceOptions& options);

struct StatsOptions {
  std::string name;  // "": the server and all functions
  bool watch = false;
  bool json = false;
  bool rows = false;  // for scripts, without charts
};
int stats(const ConnectionOptions& connection, const StatsOptions& options);

// Events, by one call: the server lists no more.
inline constexpr std::uint64_t kMostListed = 1'000;

struct QueueOptions {
  std::string subject;                // a function's name, or an event's id
  std::vector<std::string> commands;  // of `lambda queue`: a name that is none may be meant for one
  std::string state = "dead";
  std::uint64_t limit = 50;
  std::string before;
  std::optional<std::string> data;
  bool yes = false;
  bool json = false;
};
// Of one function, or of all ("").
int queue(const ConnectionOptions& connection, const QueueOptions& options);
int queue_list(const ConnectionOptions& connection, const QueueOptions& options);
int queue_show(const ConnectionOptions& connection, const QueueOptions& options);
int queue_cancel(const ConnectionOptions& connection, const QueueOptions& options);
int queue_redrive(const ConnectionOptions& connection, const QueueOptions& options);
int queue_purge(const ConnectionOptions& connection, const QueueOptions& options);
// Signs the function's webhooks.
int queue_secret(const ConnectionOptions& connection, const QueueOptions& options);
struct QueueConfigOptions {
  std::string name;
  std::optional<std::int64_t> retries;
  std::optional<std::string> max_age, on_success, on_failure;
  bool clear = false;
  bool json = false;
};
// Shows, or changes and shows.
int queue_config(const ConnectionOptions& connection, const QueueConfigOptions& options);
int result(const ConnectionOptions& connection, const std::string& id, bool wait);

struct ScheduleOptions {
  std::string function;
  std::optional<std::string> name;    // absent: "default", or the only one where one is looked for
  std::vector<std::string> commands;  // of `lambda schedule`, as above
  std::optional<std::string> cron, timezone, overlap, misfire, jitter, data, from, until;
  bool json = false;
};
// Makes or changes one where there is a cron expression; else lists them, of one function or all.
int schedule(const ConnectionOptions& connection, const ScheduleOptions& options);
int schedule_show(const ConnectionOptions& connection, const ScheduleOptions& options);
int schedule_pause(const ConnectionOptions& connection, const ScheduleOptions& options);
int schedule_resume(const ConnectionOptions& connection, const ScheduleOptions& options);
int schedule_run(const ConnectionOptions& connection, const ScheduleOptions& options);
int schedule_delete(const ConnectionOptions& connection, const ScheduleOptions& options);

struct KeysOptions {
  std::string name;  // of revoke: or the id
  std::vector<std::string> scopes;
  std::vector<std::string> functions;  // patterns; empty for all
  std::string expires;
  bool all = false;
};
int keys_create(const ConnectionOptions& connection, const KeysOptions& options, bool json);
int keys_list(const ConnectionOptions& connection, bool all, bool json);
int keys_revoke(const ConnectionOptions& connection, const std::string& key, bool json);

struct AuditOptions {
  std::string function, key, since;
  std::uint64_t limit = 50;
  bool verify = false;
};
int audit(const ConnectionOptions& connection, const AuditOptions& options, bool json);
int audit_verify(const ConnectionOptions& connection, bool json);

struct EnvOptions {
  std::string name;
  std::vector<std::string> words;     // KEY=VALUE to set, KEY to unset
  std::vector<std::string> commands;  // of `lambda env`, as above
  std::string file;
  bool show = false;
  bool json = false;
};
// Names and digests, or the values where they are asked for.
int env(const ConnectionOptions& connection, const EnvOptions& options);
// A new version with these variables, live at once.
int env_set(const ConnectionOptions& connection, const EnvOptions& options);
int env_unset(const ConnectionOptions& connection, const EnvOptions& options);

struct SecretOptions {
  std::string name;
  std::vector<std::string> values;  // given as arguments, which they must not be
  std::string function;             // "": shared
  std::string form;                 // env, file; "": as it was, or env
  bool yes = false;
  bool json = false;
};
// The value is asked for, or read from standard input.
int secret_put(const ConnectionOptions& connection, const SecretOptions& options);
int secret_list(const ConnectionOptions& connection, const SecretOptions& options);
int secret_delete(const ConnectionOptions& connection, const SecretOptions& options);

// Of the context in use; `url` may be "local".
int config_set_host(const ConnectionOptions& connection, const std::string& url);
// From standard input; asked for without an echo where that is a terminal.
int config_set_key(const ConnectionOptions& connection);
int config_set_context(const std::string& name, const std::string& url);
int config_use_context(const std::string& name);
int config_contexts(const ConnectionOptions& connection, bool json);
int config_delete_context(const std::string& name);
int config_show(const ConnectionOptions& connection, bool json);
int config_aws(const ConnectionOptions& connection);
struct DoctorOptions {
  std::string own;  // this program's version
  bool json = false;
  bool plain = false;
  bool quiet = false;  // the names of what is not well
};
// Fails where a check does.
int doctor(const ConnectionOptions& connection, const DoctorOptions& options);

// The connection, or the exit code after saying why there is none.
struct Connected {
  std::optional<ServerConnection> server;
  int code = 0;
};
Connected connect(const ConnectionOptions& options);

}  // namespace lambda::cli
