// lambdad. Steps: configuration -> everything that needs root (sockets, the data directory's owner,
// lambda-spawn) -> an ordinary user -> the object graph -> serve until SIGTERM or SIGINT -> drain.
#include "base/clock.h"
#include "server/admin_key.h"
#include "server/application.h"
#include "server/configuration.h"
#include "server/data_directory.h"
#include "server/docker_parts.h"
#include "server/flags.h"
#include "server/listeners.h"
#include "server/privileges.h"
#include "server/server_log.h"
#include "store/audit_table.h"
#include "store/database.h"
#include "store/key_table.h"

#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <malloc.h>
#include <memory>
#include <optional>
#include <signal.h>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStandardFile = "/etc/lambda/lambdad.toml";

int refuse(const Error& error) {
  std::fprintf(stderr, "lambdad: %s\n", error.message().c_str());
  return error.code() == ErrorCode::invalid ? 2 : 1;
}

// From every source, lowest precedence first.
Result<std::vector<Setting>> read_settings(const Flags& flags) {
  std::vector<Setting> settings;
  const bool standard = flags.config_file.empty();
  const fs::path file = standard ? fs::path(kStandardFile) : fs::path(flags.config_file);
  std::error_code ignored;
  if (!standard || fs::exists(file, ignored)) {
    auto read = settings_from_file(file);
    if (!read) return fail(std::move(read.error()));
    settings = std::move(*read);
  }
  for (auto& setting : settings_from_environment(
           [](const char* name) -> const char* { return std::getenv(name); })) {
    settings.push_back(std::move(setting));
  }
  settings.insert(settings.end(), flags.settings.begin(), flags.settings.end());
  return settings;
}

Result<Configuration> configure(const std::vector<Setting>& settings) {
  const char* home = std::getenv("HOME");
  return make_configuration(settings, ::geteuid() == 0, home == nullptr ? "/" : home);
}

// Whom root's lambdad would become.
Result<Done> check_user(const Configuration& configuration) {
  if (::geteuid() != 0) return Done{};
  auto user = find_user(configuration.user);
  if (!user) return fail(std::move(user.error()));
  return Done{};
}

// What root does before it becomes somebody else.
struct Privileged {
  Listeners listeners;
  std::unique_ptr<sandbox::native::SpawnClient> spawn;
  UniqueFd init_program;  // for the Docker driver, from where lambdad alone may not look
  sandbox::docker::Groups groups = sandbox::docker::Groups::of_login;
};

// An instance costs descriptors; the soft limit of a login shell would be a limit of a few of them.
void raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

// Bodies are counted by their bytes, and cost no more than those: each large one is a mapping of
// its own, whose pages come as it is written and go when it does. By itself the C library would put
// them on its heaps after the first (mallopt(3)), where they grow by copies and leave holes: 128
// MiB of uploads were 220 MiB of memory.
void return_large_blocks() {
  constexpr int kMappedFrom = 256 * 1024;
  constexpr int kKeptAtTop = 4 * 1024 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kMappedFrom);
  ::mallopt(M_TRIM_THRESHOLD, kKeptAtTop);
}

Result<Done> drop_privileges(const Configuration& configuration, const User& user) {
  std::vector<gid_t> keep;
  // Whoever may use Docker is as good as root on this machine: see docs/security.md.
  const auto socket = docker_socket(
      configuration.docker_host, [](const char* name) -> const char* { return std::getenv(name); });
  if (socket) {
    auto group = group_of(*socket);
    if (!group && is_system_socket(*socket)) group = find_group("docker");
    if (group && *group != 0) keep.push_back(*group);
  }
  return become(user, keep);
}

// The data directory, and whom it is for: nobody else where we are not root.
Result<std::optional<User>> prepare_data_directory(const Configuration& configuration) {
  std::optional<User> owner;
  if (::geteuid() == 0) {
    auto user = find_user(configuration.user);
    if (!user) return fail(std::move(user.error()));
    owner = std::move(*user);
  }
  auto made = prepare_data_directory(configuration.data_directory, owner);
  if (!made) return fail(std::move(made.error()));
  return owner;
}

Result<Privileged> prepare(const Configuration& configuration) {
  auto owner = prepare_data_directory(configuration);
  if (!owner) return fail(std::move(owner.error()));
  const auto& user = *owner;
  const bool root = user.has_value();
  Privileged made;
  auto listeners = open_listeners(configuration);
  if (!listeners) return fail(std::move(listeners.error()));
  made.listeners = std::move(*listeners);
  if (!configuration.socket.empty()) {
    // Only root may give a file to a group that it is not in.
    const auto group = root ? find_group("lambda") : std::nullopt;
    auto opened = open_unix_socket(configuration.socket.string(), group.value_or(::getegid()),
                                   made.listeners);
    if (!opened) return fail(std::move(opened.error()));
  }
  if (root && configuration.driver != function::DriverName::docker) {
    sandbox::native::SpawnOptions options;
    options.data_directory = configuration.data_directory;
    options.runtimes_directory = configuration.runtimes_directory;
    options.memory_budget = configuration.memory_budget << 20;
    options.process_budget = configuration.process_budget;
    options.zygote_forks = configuration.zygote_forks;
    made.spawn = sandbox::native::SpawnClient::launch(options);
  }
  std::error_code error;
  const auto programs = fs::read_symlink("/proc/self/exe", error).parent_path();
  made.init_program.reset(::open((programs / "lambda-init").c_str(), O_RDONLY | O_CLOEXEC));
  // After lambda-spawn, which raises its own and hands this one on to sandboxes.
  raise_descriptor_limit();
  if (user) {
    auto dropped = drop_privileges(configuration, *user);
    if (!dropped) return fail(std::move(dropped.error()));
    made.groups = sandbox::docker::Groups::of_start;
  }
  return made;
}

// Without its hand lambdad cannot make a sandbox again, and whoever started it can start both: it
// ends, and says so.
void end_without(sandbox::native::SpawnClient& spawn, std::atomic<bool>& lost) {
  auto action = [&lost] {
    lost = true;
    ::kill(::getpid(), SIGTERM);
  };
  spawn.on_gone(std::move(action));
}

int serve(Configuration configuration) {
  return_large_blocks();
  // Outlives the application and with it the client of lambda-spawn.
  std::atomic<bool> spawn_lost = false;
  auto prepared = prepare(configuration);
  if (!prepared) return refuse(prepared.error());
  if (auto added = add_log_file(configuration); !added) return refuse(added.error());
  // Taken by sigwait below, on this thread; every thread made from here on has them blocked.
  sigset_t endings;
  sigemptyset(&endings);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&endings, signal);
  ::pthread_sigmask(SIG_BLOCK, &endings, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  if (prepared->spawn) end_without(*prepared->spawn, spawn_lost);
  auto application =
      Application::build(std::move(configuration), std::move(prepared->listeners),
                         std::move(prepared->spawn), prepared->init_program, prepared->groups);
  if (!application) return refuse(application.error());
  auto started = (*application)->start();
  if (!started) return refuse(started.error());
  int signal = 0;
  do {
    ::sigwait(&endings, &signal);
  } while (signal == SIGHUP);  // a terminal that went away is no reason to stop serving
  if (spawn_lost) {
    spdlog::error(
        "lambda-spawn has ended, and all native sandboxes with it: lambdad ends too. Start it "
        "again; "
        "if nobody killed lambda-spawn, report this");
  } else {
    spdlog::info("{}: ending; running calls may go on for a while (once more: end now)",
                 ::sigabbrev_np(signal));
  }
  // A second signal ends at once.
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGINT, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &endings, nullptr);
  (*application)->shut_down();
  application->reset();
  spdlog::info("ended");
  return spawn_lost ? 1 : 0;
}

Result<Done> replace_all_keys(const Configuration& configuration) {
  auto user = prepare_data_directory(configuration);
  if (!user) return fail(std::move(user.error()));
  if (*user) {
    auto dropped = become(**user, {});
    if (!dropped) return dropped;
  }
  auto database = store::Database::open(configuration.data_directory);
  if (!database) return fail(std::move(database.error()));
  const SystemClock clock;
  auto keys = store::KeyTable::load(**database, clock, configuration.data_directory,
                                    configuration.account, configuration.region);
  if (!keys) return fail(std::move(keys.error()));
  store::AuditTable audit(**database, (*keys)->master(), configuration.account,
                          configuration.region);
  return replace_keys(**keys, audit, clock, configuration.data_directory);
}

}  // namespace
}  // namespace lambda::server

int main(int argc, char** argv) {
  using namespace lambda;
  try {
    ::umask(022);
    const auto flags = server::parse_flags(argc, argv);
    if (flags.exit_code >= 0) return flags.exit_code;
    const auto settings = server::read_settings(flags);
    if (!settings) return server::refuse(settings.error());
    auto configuration = server::configure(*settings);
    if (!configuration) return server::refuse(configuration.error());
    if (flags.check_only) {
      auto user = server::check_user(*configuration);
      if (!user) return server::refuse(user.error());
      std::printf("# The configuration is fine.\n%s",
                  server::describe(*configuration, *settings).c_str());
      return 0;
    }
    if (flags.replace_keys) {
      auto replaced = server::replace_all_keys(*configuration);
      if (!replaced) return server::refuse(replaced.error());
      std::printf("Every key is revoked; the new one is in %s/admin.key.\n",
                  configuration->data_directory.c_str());
      return 0;
    }
    server::set_up_log(*configuration);
    return server::serve(std::move(*configuration));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lambdad: %s\n", error.what());
    return 1;
  }
}
