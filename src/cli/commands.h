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

struct DeployOptions {
  std::string folder = ".";
  std::string name;
  std::optional<std::string> runtime, handler, kind, description, url, driver, image;
  std::optional<std::int64_t> timeout, memory, ephemeral_storage, port, concurrency;
  std::vector<std::string> environment;  // K=V
  std::string environment_file;
  bool environment_clear = false;
  std::vector<std::string> tags;  // K=V
  std::string message;
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
int remove(const ConnectionOptions& connection, const std::string& name, bool yes);
int versions(const ConnectionOptions& connection, const std::string& name, bool json);
// `back`: rollback, else promote.
int move_live(const ConnectionOptions& connection, const std::string& name,
              std::optional<std::uint64_t> version, bool back, bool json);
int set_url(const ConnectionOptions& connection, const std::string& name, const std::string& auth);

struct LogsOptions {
  std::string name;
  std::uint64_t lines = 100;
  std::string request_id;
  std::string version;
  bool json = false;
};
int logs(const ConnectionOptions& connection, const LogsOptions& options);

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

int config_set_host(const std::string& url);
// From standard input; asked for without an echo where that is a terminal.
int config_set_key();
int config_show(const ConnectionOptions& connection, bool json);
int config_aws(const ConnectionOptions& connection);
int doctor(const ConnectionOptions& connection, bool json);

// The connection, or the exit code after saying why there is none.
struct Connected {
  std::optional<ServerConnection> server;
  int code = 0;
};
Connected connect(const ConnectionOptions& options);

}  // namespace lambda::cli
