// The graph, bottom up: database, keys, catalog, packages, logs -> drivers -> invoker -> deployer
// -> API and gateway -> server.
#include "server/application.h"

#include "api/api_handler.h"
#include "base/background.h"
#include "base/crypto.h"
#include "base/deadline.h"
#include "base/encoding.h"
#include "base/watched_clock.h"
#include "deploy/image_code.h"
#include "deploy/staged_deployer.h"
#include "events/queue/event_queue.h"
#include "events/scheduler/scheduler.h"
#include "events/webhook/sender.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "invoke/instance_starter.h"
#include "invoke/sharded_invoker.h"
#include "observe/log_store.h"
#include "sandbox/native/native_driver.h"
#include "sandbox/runtime_catalog.h"
#include "server/admin_key.h"
#include "server/capacity.h"
#include "server/docker_parts.h"
#include "server/housekeeper.h"
#include "server/loop_threads.h"
#include "server/privileges.h"
#include "server/server_files.h"
#include "store/database.h"
#include "store/group_commit.h"
#include "store/key_table.h"

#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kDockerLimit{10};
// Somebody waits for it.
constexpr std::chrono::seconds kDockerLimitWhenAsked{2};

// Emptied at the start: what is in it belonged to deploys of a server that is gone.
Result<fs::path> temporary_directory(const fs::path& data) {
  auto path = data / "tmp";
  std::error_code error;
  fs::remove_all(path, error);
  fs::create_directories(path, error);
  if (!error) fs::permissions(path, fs::perms::owner_all, error);
  if (error) return fail(ErrorCode::denied, "make {}: {}", path.string(), error.message());
  return path;
}

}  // namespace

// What people are told of the drivers. It changes with what Docker Engine answers. Any thread.
class DriverFacts {
 public:
  struct Values {
    bool works = false;
    std::string reason;
    std::string docker;
  };
  [[nodiscard]] Values values() const {
    const std::lock_guard guard(mutex_);
    return values_;
  }
  void set(Values values) {
    const std::lock_guard guard(mutex_);
    values_ = std::move(values);
  }

 private:
  mutable std::mutex mutex_;
  Values values_;
};

struct Application::Parts {
  explicit Parts(Configuration settings)
      : configuration(std::move(settings)),
        server_file(configuration.data_directory),
        bodies(body_bytes(configuration)),
        threads(configuration.loops != 0 ? configuration.loops
                                         : std::max(1u, std::thread::hardware_concurrency())) {}

  Configuration configuration;
  Listeners listeners;
  SystemClock system_clock;
  WatchedClock clock{system_clock};
  std::unique_ptr<sandbox::native::SpawnClient> spawn;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<store::KeyTable> keys;
  std::unique_ptr<function::Catalog> catalog;
  std::unique_ptr<function::PackageStore> packages;
  std::unique_ptr<observe::LogStore> logs;
  sandbox::RuntimeCatalog runtimes;
  // Before the thread and the loops, which still work for them when they are taken down.
  std::unique_ptr<store::GroupCommit> commits;
  std::unique_ptr<events::EventQueue> events;
  std::unique_ptr<events::Scheduler> scheduler;
  DriverFacts driver_facts;
  std::atomic<bool> following_docker = false;
  std::mutex telling;
  ServerFile server_file;
  BlockingPool store_thread{"store", 1};
  BlockingPool disk{"disk", 2};
  BlockingPool users{"users", 1};
  http::BodyBudget bodies;
  BlockingPool readers{"readers", store::Database::kReaders};
  LoopThreads threads;
  std::unique_ptr<events::WebhookSender> webhooks;  // its look-ups post to the loops
  DockerParts docker;
  std::unique_ptr<sandbox::native::NativeDriver> native;
  invoke::Drivers drivers;
  std::string native_text;  // what the native driver found; "" where it cannot work
  std::unique_ptr<invoke::InstanceStarter> starter;
  std::unique_ptr<invoke::ShardedInvoker> invoker;
  std::unique_ptr<Housekeeper> housekeeper;
  std::unique_ptr<deploy::StagedDeployer> deployer;
  std::unique_ptr<access::Authenticator> authenticator;
  std::unique_ptr<api::ApiHandler> api;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<http::Server> server;

  Result<Done> open_state();
  Result<Done> make_drivers(const UniqueFd& init_program, sandbox::docker::Groups groups);
  void make_native_driver();
  void make_docker_driver(const UniqueFd& init_program, sandbox::docker::Groups groups);
  void describe_drivers(bool docker_works, const std::string& docker_text);
  Task<bool> look_at_docker(std::chrono::seconds limit);
  Task<void> follow_docker();
  Task<void> wait_for_docker();
  [[nodiscard]] Result<Done> tell_local_clients();
  void make_webhooks();
  Result<Done> make_events();
  gateway::AsyncCalls async_calls();
  Task<Result<std::string>> submit(gateway::AsyncCall call);
  Result<Done> make_services();
  [[nodiscard]] api::Services services();
  [[nodiscard]] Result<Done> check_runtime(std::string_view runtime) const;
  Task<boost::json::object> status(bool look);
  [[nodiscard]] std::string base_url() const;
  Task<Result<api::TakenCode>> resolve_image(std::string reference, function::DriverName driver);
};

Result<Done> Application::Parts::open_state() {
  const auto& data = configuration.data_directory;
  auto opened = store::Database::open(data);
  if (!opened) return fail(std::move(opened.error()));
  database = std::move(*opened);
  server_file.remove_earlier();
  auto table =
      store::KeyTable::load(*database, clock, data, configuration.account, configuration.region);
  if (!table) return fail(std::move(table.error()));
  keys = std::move(*table);
  auto admin = ensure_admin_key(*keys, data);
  if (!admin) return admin;
  function::Tenant tenant;
  tenant.account = configuration.account;
  tenant.region = configuration.region;
  auto loaded = function::Catalog::load(*database, clock, tenant);
  if (!loaded) return fail(std::move(loaded.error()));
  catalog = std::move(*loaded);
  auto store = function::PackageStore::open(data);
  if (!store) return fail(std::move(store.error()));
  packages = std::move(*store);
  auto log = observe::LogStore::open(data / "logs");
  if (!log) return fail(std::move(log.error()));
  logs = std::move(*log);
  auto found = sandbox::RuntimeCatalog::load(configuration.runtimes_directory);
  if (!found) return fail(std::move(found.error()));
  runtimes = std::move(*found);
  if (const auto missing = runtimes.missing(); !missing.empty()) {
    spdlog::warn(
        "runtimes that are not built in {}, so that no function can use them: {}. Run "
        "`runtimes/build` as root, then start the server again",
        configuration.runtimes_directory.string(), fmt::join(missing, ", "));
  }
  return Done{};
}

void Application::Parts::make_native_driver() {
  drivers.native_missing = "it needs lambdad to be started as root";
  if (!spawn) return;
  auto works = spawn->description();
  if (!works) {
    drivers.native_missing = works.error().message();
    return;
  }
  auto image_root = [this](std::string_view image_id) -> std::optional<fs::path> {
    if (!docker.images) return std::nullopt;
    return docker.images->exported_root(image_id);
  };
  native = std::make_unique<sandbox::native::NativeDriver>(*spawn, image_root);
  drivers.native = native.get();
  native_text = *works;
}

void Application::Parts::make_docker_driver(const UniqueFd& init_program,
                                            sandbox::docker::Groups groups) {
  auto made = DockerParts::make(configuration, init_program, groups, runtimes,
                                catalog->used_images(), users);
  if (made) {
    docker = std::move(*made);
    drivers.docker = docker.driver.get();
  } else {
    docker.text = made.error().message();
  }
  drivers.docker_missing = docker.text;
}

Result<Done> Application::Parts::make_drivers(const UniqueFd& init_program,
                                              sandbox::docker::Groups groups) {
  make_docker_driver(init_program, groups);
  make_native_driver();
  using function::DriverName;
  drivers.standard = configuration.driver.value_or(drivers.native != nullptr ? DriverName::native
                                                                             : DriverName::docker);
  describe_drivers(docker.works, docker.text);
  const auto facts = driver_facts.values();
  if (facts.works) return Done{};
  if (configuration.driver) {
    return fail(
        ErrorCode::unavailable, "the {} driver cannot work here: {}",
        function::to_string(drivers.standard),
        drivers.standard == DriverName::native ? drivers.native_missing : drivers.docker_missing);
  }
  spdlog::warn("no driver can work here, so functions cannot start. {}", facts.reason);
  return Done{};
}

void Application::Parts::describe_drivers(bool docker_works, const std::string& docker_text) {
  const bool is_native = drivers.standard == function::DriverName::native;
  DriverFacts::Values facts;
  facts.docker = docker_text;
  facts.works = is_native ? drivers.native != nullptr : docker_works;
  if (!facts.works) {
    facts.reason = fmt::format("none: native: {}; docker: {}", drivers.native_missing, docker_text);
  } else if (is_native) {
    facts.reason = native_text;
  } else if (configuration.driver) {
    facts.reason = docker_text;
  } else {
    facts.reason =
        fmt::format("{}; native cannot work here: {}", docker_text, drivers.native_missing);
  }
  driver_facts.set(std::move(facts));
}

// Whether Docker Engine answers now; where that is news, people are told.
Task<bool> Application::Parts::look_at_docker(std::chrono::seconds limit) {
  const auto described = co_await docker.engine->describe(in(limit));
  const auto text = described ? *described : described.error().message();
  if (text != driver_facts.values().docker) {
    describe_drivers(described.has_value(), text);
    spdlog::info("docker: {}", text);
    auto tell = [this] { return tell_local_clients(); };
    auto told = co_await run_blocking(disk, std::move(tell));
    if (!told) spdlog::warn("{}", told.error().message());
  }
  co_return described.has_value();
}

// Asks until it answers, where nobody does so already.
Task<void> Application::Parts::follow_docker() {
  if (following_docker.exchange(true)) co_return;
  // However it ends.
  auto end = [](std::atomic<bool>* following) { *following = false; };
  const std::unique_ptr<std::atomic<bool>, decltype(end)> ending(&following_docker, end);
  while (!co_await look_at_docker(kDockerLimit)) co_await sleep_for(kAskDockerAgain);
}

// Where it did not answer at the start: a machine that boots starts it when it likes.
Task<void> Application::Parts::wait_for_docker() {
  co_await follow_docker();
  co_await docker.remove_earlier_containers();
}

Result<Done> Application::Parts::tell_local_clients() {
  // In turn, so that the last to write has the newest.
  const std::lock_guard guard(telling);
  const auto driver = driver_facts.values();
  ServerFacts facts;
  facts.url = base_url();
  facts.domain = configuration.domain;
  facts.port = listeners.port;
  facts.port_reason = listeners.port_reason;
  facts.exposure = exposure(listeners, configuration.insecure);
  facts.addresses = listeners.addresses;
  facts.driver = function::to_string(drivers.standard);
  facts.driver_works = driver.works;
  facts.driver_reason = driver.reason;
  facts.docker = driver.docker;
  facts.socket = configuration.socket.string();
  facts.socket_file = listeners.unix_socket_file;
  facts.version = LAMBDA_VERSION;
  return server_file.write(facts);
}

std::string Application::Parts::base_url() const {
  return local_url(listeners);
}

Task<boost::json::object> Application::Parts::status(bool look) {
  if (look && docker.driver) {
    const bool answers = co_await look_at_docker(kDockerLimitWhenAsked);
    if (!answers) {
      asio::co_spawn(*threads.loops().front(), follow_docker(),
                     in_background("waiting for Docker Engine"));
    }
  }
  boost::json::object object;
  object["version"] = LAMBDA_VERSION;
  object["driver"] = function::to_string(drivers.standard);
  const auto driver = driver_facts.values();
  object["driverWorks"] = driver.works;
  object["driverReason"] = driver.reason;
  object["docker"] = driver.docker;
  const auto names = runtimes.names();
  object["runtimes"] = boost::json::array(names.begin(), names.end());
  const auto missing = runtimes.missing();
  object["missingRuntimes"] = boost::json::array(missing.begin(), missing.end());
  object["domain"] = configuration.domain;
  object["port"] = listeners.port;
  object["portReason"] = listeners.port_reason;
  object["exposure"] = exposure(listeners, configuration.insecure);
  object["account"] = configuration.account;
  object["region"] = configuration.region;
  object["functions"] = catalog->snapshot()->functions.size();
  object["instances"] = invoker->budget().used();
  object["maxInstances"] = invoker->budget().limit();
  auto& loops = object["loops"].emplace_array();
  for (const auto& watch : threads.watches()) {
    loops.push_back({{"name", watch->name()},
                     {"stalls", watch->stalls()},
                     {"longestStall", watch->longest().count()}});
  }
  object["insecure"] = configuration.insecure;
  object["dataDir"] = configuration.data_directory.string();
  co_return object;
}

Task<Result<api::TakenCode>> Application::Parts::resolve_image(std::string reference,
                                                               function::DriverName driver) {
  if (!docker.images)
    co_return fail(ErrorCode::invalid, "ImageUri {}: {}", reference, drivers.docker_missing);
  auto image = co_await docker.images->inspect(reference);
  if (!image) {
    // To AWS's clients an image that is not there is a wrong parameter.
    co_return fail(std::move(image.error()).as(ErrorCode::invalid), "ImageUri {}", reference);
  }
  if (driver == function::DriverName::native) {
    auto root = co_await docker.images->export_root(image->id);
    if (!root) co_return fail(std::move(root.error()));
  }
  api::TakenCode taken;
  taken.code = deploy::code_of_image(std::move(reference), *image);
  taken.kept = image->pin;
  co_return taken;
}

Result<Done> Application::Parts::check_runtime(std::string_view runtime) const {
  auto found = runtimes.find(runtime);
  if (!found) return fail(std::move(found.error()));
  return Done{};
}

api::Services Application::Parts::services() {
  api::Addresses addresses;
  addresses.domain = configuration.domain;
  addresses.port = listeners.port;
  addresses.base = base_url();
  return api::Services{*catalog,
                       *packages,
                       *invoker,
                       *deployer,
                       *events,
                       *scheduler,
                       *logs,
                       store_thread,
                       disk,
                       users,
                       clock,
                       addresses,
                       drivers.standard,
                       [this](std::string reference, function::DriverName driver) {
                         return resolve_image(std::move(reference), driver);
                       },
                       [this](std::string_view runtime) { return check_runtime(runtime); },
                       [this](bool look) { return status(look); },
                       random_bytes(32)};
}

void Application::Parts::make_webhooks() {
  std::vector<events::Network> allowed;
  for (const auto& text : configuration.webhook_networks) {
    if (auto network = events::Network::parse(text)) allowed.push_back(std::move(*network));
  }
  events::WebhookSender::Options options;
  options.rules = events::AddressRules(std::move(allowed));
  options.timeout = configuration.webhook_timeout;
  options.user_agent = "lambdad/" LAMBDA_VERSION;
  webhooks = std::make_unique<events::WebhookSender>(
      events::WebhookSender::Parts{*catalog, keys->master(), disk, clock}, std::move(options));
}

Result<Done> Application::Parts::make_events() {
  make_webhooks();
  commits = std::make_unique<store::GroupCommit>(*database, store_thread);
  events::EventQueue::Limits limits;
  limits.dispatch.concurrency = events_at_once(configuration, invoker->budget().limit());
  limits.dispatch.retries.retry_delay = configuration.retry_delay;
  limits.dispatch.retries.max_retries = configuration.retries;
  limits.dispatch.retries.max_age = configuration.max_event_age;
  limits.dispatch.deliveries.retry_delay = configuration.webhook_retry_delay;
  limits.dispatch.deliveries.max_age = configuration.webhook_max_age;
  limits.keep_results = configuration.keep_results;
  events = std::make_unique<events::EventQueue>(
      events::EventQueue::Parts{*threads.loops().front(), *database, *commits, readers, *catalog,
                                *invoker, *webhooks, clock},
      limits);
  if (auto loaded = events->load(); !loaded) return loaded;
  scheduler = std::make_unique<events::Scheduler>(events::Scheduler::Parts{
      *threads.loops().front(), *database, *commits, readers, *events, *catalog, clock});
  return scheduler->load();
}

gateway::AsyncCalls Application::Parts::async_calls() {
  gateway::AsyncCalls calls;
  calls.on_open_urls = configuration.async_open_urls;
  calls.submit = [this](gateway::AsyncCall call) { return submit(std::move(call)); };
  return calls;
}

Task<Result<std::string>> Application::Parts::submit(gateway::AsyncCall call) {
  events::NewEvent event;
  event.id = std::move(call.request_id);
  event.function = std::move(call.function);
  event.payload = std::move(call.payload);
  event.trace_id = std::move(call.trace_id);
  event.token = std::move(call.token);
  event.source = events::EventSource::url;
  auto accepted = co_await events->accept(std::move(event));
  if (!accepted) co_return fail(std::move(accepted.error()));
  co_return std::move(accepted->id);
}

Result<Done> Application::Parts::make_services() {
  function::Tenant tenant;
  tenant.account = configuration.account;
  tenant.region = configuration.region;
  starter =
      std::make_unique<invoke::InstanceStarter>(drivers, runtimes, *packages, *logs, clock, tenant);
  pool::PoolLimits limits;
  limits.idle_time = configuration.idle_time;
  limits.longest_wait = configuration.longest_wait;
  invoker = std::make_unique<invoke::ShardedInvoker>(
      threads.loops(), *starter, limits,
      instance_limit(configuration, native ? spawn.get() : nullptr), clock,
      [this](const function::Resolved& target) { return catalog->standing(target); });
  if (auto made = make_events(); !made) return made;
  auto temporary = temporary_directory(configuration.data_directory);
  if (!temporary) return fail(std::move(temporary.error()));
  housekeeper = std::make_unique<Housekeeper>(*catalog, *invoker, *packages, docker.images.get(),
                                              disk, clock);
  housekeeper->clean_at_start();
  deployer = std::make_unique<deploy::StagedDeployer>(deploy::StagedDeployer::Parts{
      *catalog, *packages, *invoker, docker.images.get(), drivers.docker_missing,
      [this](const std::string& image) { return housekeeper->uses_image(image); },
      [this](std::string_view runtime) { return check_runtime(runtime); }, store_thread, disk,
      clock, *temporary, drivers.standard, configuration.keep_versions});
  catalog->on_clean_up([this](SQLite::Database& connection, const function::Version& version) {
    return events->needs(connection, version);
  });
  catalog->on_leaving([this](const std::vector<function::VersionPtr>& versions) {
    housekeeper->leaving(versions);
  });
  catalog->on_change(
      [this](const std::vector<function::VersionPtr>& gone, const function::SnapshotPtr& now) {
        const bool deleted = !gone.empty() && !now->functions.contains(gone.front()->function);
        if (deleted) {
          logs->forget(gone.front()->function);
          scheduler->forget(gone.front()->function);
        }
        events->keep_only(*now);
        invoker->retire(gone);
      });
  access::Authenticator::Options who;
  who.insecure = configuration.insecure;
  who.account = configuration.account;
  who.group = find_group("lambda");
  authenticator = std::make_unique<access::Authenticator>(*keys, clock, who);
  api = std::make_unique<api::ApiHandler>(services(), *authenticator);
  gateway = std::make_unique<gateway::Gateway>(configuration.domain, *catalog, *invoker,
                                               *authenticator, disk, clock, *api, async_calls());
  auto connections = connection_limits(invoker->budget().limit());
  connections.bodies = &bodies;
  server = std::make_unique<http::Server>(threads.loops(), *gateway, connections);
  return Done{};
}

Application::Application(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
// Nothing moves any more, then the coroutines that are left go, and only then what they work with.
Application::~Application() {
  auto& parts = *parts_;
  parts.threads.stop();
  parts.store_thread.finish();
  parts.disk.finish();
  parts.users.finish();
  parts.readers.finish();
  if (parts.webhooks) parts.webhooks->finish();
  parts.threads.abandon();
}

Result<std::unique_ptr<Application>> Application::build(
    Configuration configuration, Listeners listeners,
    std::unique_ptr<sandbox::native::SpawnClient> spawn, const UniqueFd& init_program,
    sandbox::docker::Groups groups) {
  auto parts = std::make_unique<Parts>(std::move(configuration));
  parts->listeners = std::move(listeners);
  parts->spawn = std::move(spawn);
  auto done = parts->open_state();
  if (done) done = parts->make_drivers(init_program, groups);
  if (done) done = parts->make_services();
  if (!done) return fail(std::move(done.error()));
  return std::unique_ptr<Application>(new Application(std::move(parts)));
}

Result<Done> Application::start() {
  auto& parts = *parts_;
  parts.threads.start();
  parts.invoker->start();
  // Before the queue: it wants to hear of what the queue has done.
  parts.scheduler->start();
  parts.events->start();
  asio::co_spawn(*parts.threads.loops().front(), parts.housekeeper->run(),
                 in_background("the housekeeper"));
  for (auto& socket : parts.listeners.sockets) parts.server->add_listener(std::move(socket));
  if (parts.listeners.unix_socket)
    parts.server->add_listener(std::move(parts.listeners.unix_socket));
  if (auto told = parts.tell_local_clients(); !told) return told;
  spdlog::info("lambdad {} serves {} (functions at NAME.{}), driver {}: {}", LAMBDA_VERSION,
               fmt::join(parts.listeners.addresses, ", "), parts.configuration.domain,
               function::to_string(parts.drivers.standard), parts.driver_facts.values().reason);
  if (parts.docker.driver && !parts.docker.works) {
    asio::co_spawn(*parts.threads.loops().front(), parts.wait_for_docker(),
                   in_background("waiting for Docker Engine"));
  }
  if (const auto seen = exposure(parts.listeners, parts.configuration.insecure); !seen.empty())
    spdlog::warn("{}", seen);
  return Done{};
}

void Application::shut_down() {
  auto& parts = *parts_;
  parts.server_file.remove();
  const auto deadline = std::chrono::steady_clock::now() + parts.configuration.drain_time;
  auto drain = [](Application::Parts& all, SteadyTime until) -> Task<void> {
    co_await all.events->pause();
    co_await all.server->drain(until);
    co_await all.scheduler->stop();
    co_await all.events->stop(until);
    co_await all.invoker->stop(until);
  };
  auto drained =
      asio::co_spawn(*parts.threads.loops().front(), drain(parts, deadline), asio::use_future);
  drained.wait_until(deadline + std::chrono::seconds(15));
}

}  // namespace lambda::server
