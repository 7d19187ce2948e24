// The graph, bottom up: database, keys, catalog, packages, logs -> drivers -> invoker -> deployer
// -> API and gateway -> server.
#include "server/application_parts.h"

#include <boost/asio/use_future.hpp>
#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <set>

namespace lambda::server {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::minutes kTidyLogs{5};

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

std::set<std::string, std::less<>> names_of(const function::Snapshot& all) {
  std::set<std::string, std::less<>> names;
  for (const auto& [name, function] : all.functions) names.insert(name);
  return names;
}

egress::AddressRules rules_with(const std::vector<std::string>& networks) {
  std::vector<egress::Network> allowed;
  for (const auto& text : networks) {
    if (auto network = egress::Network::parse(text)) allowed.push_back(std::move(*network));
  }
  return egress::AddressRules(std::move(allowed));
}

// Look-ups of builds at once.
constexpr unsigned kBuildLookups = 16;

Task<Result<egress::Addresses>> build_addresses(Loop* loop, egress::NameLookup* names,
                                                const egress::AddressRules* rules, std::string host,
                                                SteadyTime deadline) {
  auto task = egress::allowed_addresses(*names, *rules, deploy::kBuilds, std::move(host), deadline);
  co_return co_await cross_to(*loop, std::move(task));
}

}  // namespace

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
  audit = std::make_unique<store::AuditTable>(*database, keys->master(), configuration.account,
                                              configuration.region);
  auto admin = ensure_admin_key(*keys, *audit, clock, data);
  if (!admin) return admin;
  function::Tenant tenant;
  tenant.account = configuration.account;
  tenant.region = configuration.region;
  auto loaded = function::Catalog::load(*database, clock, tenant, keys->master());
  if (!loaded) return fail(std::move(loaded.error()));
  catalog = std::move(*loaded);
  auto sealed = function::SecretTable::load(*database, clock, tenant, keys->master());
  if (!sealed) return fail(std::move(sealed.error()));
  secrets = std::move(*sealed);
  auto store = function::PackageStore::open(data);
  if (!store) return fail(std::move(store.error()));
  packages = std::move(*store);
  auto log = observe::LogStore::open(data / "logs", clock, log_limits(configuration));
  if (!log) return fail(std::move(log.error()));
  logs = std::move(*log);
  const auto functions = catalog->snapshot();
  logs->keep_only(names_of(*functions));
  logs->set_own_limits(own_log_limits(*functions));
  if (auto opened_traces = open_traces(); !opened_traces) return opened_traces;
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

Result<Done> Application::Parts::open_traces() {
  observe::TraceLimits limits;
  limits.slow = configuration.slow_call;
  limits.files.all_bytes = configuration.trace_space << 20;
  limits.files.age = configuration.keep_traces;
  auto store = observe::TraceStore::open(configuration.data_directory / "traces", threads.loops(),
                                         readers, clock, limits);
  if (!store) return fail(std::move(store.error()));
  traces = std::move(*store);
  return Done{};
}

Result<Done> Application::Parts::make_exporter() {
  if (configuration.otlp_endpoint.empty()) return Done{};
  auto url = observe::otlp_url(configuration.otlp_endpoint);
  if (!url) return fail(std::move(url.error()));
  observe::OtlpExporter::Options options;
  options.url = std::move(*url);
  options.headers = configuration.otlp_headers;
  options.version = LAMBDA_VERSION;
  exporter = std::make_unique<observe::OtlpExporter>(std::move(options));
  return Done{};
}

// Of every loop, to all who want to hear of them.
void Application::Parts::record_calls() {
  const auto counting = metrics->sinks();
  std::vector<observe::CallSink*> sinks;
  for (std::size_t i = 0; i < threads.loops().size(); ++i) {
    std::vector<observe::CallSink*> wanted = {counting.at(i), &traces->sink_of(i)};
    if (exporter) wanted.push_back(exporter.get());
    call_sinks.push_back(std::make_unique<observe::CallFanOut>(std::move(wanted)));
    sinks.push_back(call_sinks.back().get());
  }
  invoker->record_to(sinks);
}

Task<void> Application::Parts::tidy_logs() {
  do logs->tidy();
  while (co_await sleep_for(kTidyLogs));
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
                       *secrets,
                       *invoker,
                       *deployer,
                       *events,
                       *scheduler,
                       *logs,
                       *traces,
                       *keys,
                       *audit,
                       *trail,
                       store_thread,
                       disk,
                       log_readers,
                       users,
                       clock,
                       trace_rules(),
                       addresses,
                       drivers.standard,
                       [this](std::string reference, function::DriverName driver) {
                         return resolve_image(std::move(reference), driver);
                       },
                       [this](std::string_view runtime) { return check_runtime(runtime); },
                       [this](bool look) { return status(look); },
                       [this] { return doctor(); },
                       random_bytes(32),
                       *metrics,
                       configuration.metrics_open};
}

// Whatever ends a call, or decides of a schedule, tells the metrics.
Result<Done> Application::Parts::make_metrics() {
  metrics = std::make_unique<MetricsService>(
      MetricsService::Parts{threads.loops(), metrics_thread, *database, *commits, *catalog,
                            *invoker, *events, clock, [this] { return facts_for_metrics(); }});
  if (auto loaded = metrics->load(); !loaded) return loaded;
  scheduler->on_decided([&counters = metrics->counters()](const events::Scheduler::Decided& what) {
    counters.decided(static_cast<observe::FiringOutcome>(what.outcome), what.count);
    if (what.late) counters.fired_late(*what.late);
  });
  return Done{};
}

void Application::Parts::make_webhooks() {
  events::WebhookSender::Options options;
  options.rules = rules_with(configuration.webhook_networks);
  options.timeout = configuration.webhook_timeout;
  options.user_agent = "lambdad/" LAMBDA_VERSION;
  webhooks = std::make_unique<events::WebhookSender>(
      events::WebhookSender::Parts{*catalog, keys->master(), disk, clock}, std::move(options));
}

Result<Done> Application::Parts::make_dependencies(const fs::path& temporary) {
  auto cache = deploy::DependencyCache::open(configuration.data_directory / "dependencies",
                                             configuration.dependency_cache << 20);
  if (!cache) return fail(std::move(cache.error()));
  dependency_cache = std::move(*cache);
  build_names = std::make_unique<egress::NameLookup>(clock, kBuildLookups);
  build_rules = rules_with(configuration.build_networks);
  auto find = [this](std::string host, SteadyTime deadline) {
    return build_addresses(threads.loops().front(), build_names.get(), &build_rules,
                           std::move(host), deadline);
  };
  deploy::BuildParts build{*invoker,    disk,      std::move(find),
                           build_rules, temporary, configuration.build_time};
  dependencies = std::make_unique<deploy::DependencyInstaller>(
      deploy::DependencyInstaller::Parts{*packages, runtimes, *dependency_cache, std::move(build)});
  return Done{};
}

Result<Done> Application::Parts::make_events() {
  make_webhooks();
  commits = std::make_unique<store::GroupCommit>(*database, store_thread);
  trail = std::make_unique<api::AuditTrail>(*commits, *audit, clock);
  events::EventQueue::Limits limits;
  limits.dispatch.concurrency = events_at_once(configuration, invoker->budget().limit());
  limits.dispatch.retries.retry_delay = configuration.retry_delay;
  limits.dispatch.retries.max_retries = configuration.retries;
  limits.dispatch.retries.max_age = configuration.max_event_age;
  limits.dispatch.deliveries.retry_delay = configuration.webhook_retry_delay;
  limits.dispatch.deliveries.max_age = configuration.webhook_max_age;
  limits.dispatch.traces = trace_rules();
  limits.keep_results = configuration.keep_results;
  events = std::make_unique<events::EventQueue>(
      events::EventQueue::Parts{*threads.loops().front(), *database, *commits, readers, *catalog,
                                *invoker, *webhooks, clock, exporter.get()},
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
  event.trace = std::move(call.trace);
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
  starter = std::make_unique<invoke::InstanceStarter>(drivers, runtimes, *packages, *secrets, *logs,
                                                      clock, tenant, configuration.egress);
  pool::PoolLimits limits;
  limits.idle_time = configuration.idle_time;
  limits.freeze_after = configuration.freeze_after;
  limits.longest_wait = configuration.longest_wait;
  invoker = std::make_unique<invoke::ShardedInvoker>(
      threads.loops(), *starter, limits,
      instance_limit(configuration, native ? spawn.get() : nullptr), clock,
      [this](const function::Resolved& target) { return catalog->standing(target); });
  idle_keeper =
      std::make_unique<IdleKeeper>(*catalog, *invoker, configuration.low_memory,
                                   native ? spawn->memory_cgroup() : std::filesystem::path(), disk);
  if (auto made = make_exporter(); !made) return made;
  if (auto made = make_events(); !made) return made;
  if (auto made = make_metrics(); !made) return made;
  record_calls();
  auto temporary = temporary_directory(configuration.data_directory);
  if (!temporary) return fail(std::move(temporary.error()));
  auto installs = make_dependencies(*temporary);
  if (!installs) return installs;
  housekeeper = std::make_unique<Housekeeper>(*catalog, *invoker, *packages, docker.images.get(),
                                              disk, clock);
  housekeeper->clean_at_start();
  staged_deployer = std::make_unique<deploy::StagedDeployer>(deploy::StagedDeployer::Parts{
      *catalog, *packages, *secrets, *invoker, *dependencies, docker.images.get(),
      drivers.docker_missing,
      [this](const std::string& image) { return housekeeper->uses_image(image); },
      [this](std::string_view runtime) { return check_runtime(runtime); },
      [this](const deploy::FailedDeploy& failed) {
        const auto known = catalog->snapshot();
        log_failed_deploy(*logs, failed, known->functions.contains(failed.function), clock.now());
      },
      store_thread, disk, clock, *temporary, drivers.standard, configuration.keep_versions,
      egress_missing()});
  deployer = std::make_unique<CountedDeployer>(*staged_deployer, metrics->counters());
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
          secrets->forget(gone.front()->function);
          scheduler->forget(gone.front()->function);
          metrics->forget(gone.front()->function);
        }
        logs->set_own_limits(own_log_limits(*now));
        events->keep_only(*now);
        invoker->retire(gone);
      });
  access::Authenticator::Options who;
  who.insecure = configuration.insecure;
  who.account = configuration.account;
  who.group = find_group("lambda");
  access_keeper =
      std::make_unique<AccessKeeper>(*keys, *audit, store_thread, clock, configuration.audit_age);
  authenticator = std::make_unique<access::Authenticator>(*keys, clock, who);
  api = std::make_unique<api::ApiHandler>(services(), *authenticator);
  gateway =
      std::make_unique<gateway::Gateway>(configuration.domain, *catalog, *invoker, *authenticator,
                                         disk, clock, *api, async_calls(), trace_rules());
  auto connections = connection_limits(invoker->budget().limit());
  connections.bodies = &bodies;
  server =
      std::make_unique<http::Server>(threads.loops(), *gateway, connections, metrics->observers());
  return Done{};
}

Application::Application(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
// Nothing moves any more, then the coroutines that are left go, and only then what they work with.
Application::~Application() {
  auto& parts = *parts_;
  parts.threads.stop();
  parts.store_thread.finish();
  parts.disk.finish();
  parts.log_readers.finish();
  parts.users.finish();
  parts.readers.finish();
  parts.metrics_thread.finish();
  if (parts.webhooks) parts.webhooks->finish();
  if (parts.build_names) parts.build_names->finish();
  if (parts.traces) parts.traces->finish();
  if (parts.exporter) parts.exporter->finish();
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
  parts.metrics->start();
  asio::co_spawn(*parts.threads.loops().front(), parts.housekeeper->run(),
                 in_background("the housekeeper"));
  asio::co_spawn(*parts.threads.loops().front(), parts.access_keeper->run(),
                 in_background("the keeper of keys and audit"));
  asio::co_spawn(*parts.threads.loops().front(), parts.tidy_logs(), in_background("old logs"));
  parts.keep_stems();
  asio::co_spawn(*parts.threads.loops().front(), parts.idle_keeper->keep_ready(),
                 in_background("the instances that are kept ready"));
  asio::co_spawn(*parts.threads.loops().front(), parts.idle_keeper->watch_memory(),
                 in_background("the watch over memory"));
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
    all.logs->end_followers();
    if (all.native) all.native->stems().close();
    co_await all.events->pause();
    co_await all.server->drain(until);
    co_await all.scheduler->stop();
    co_await all.events->stop(until);
    co_await all.invoker->stop(until);
    co_await all.access_keeper->save_uses();
    co_await all.metrics->stop();
  };
  auto drained =
      asio::co_spawn(*parts.threads.loops().front(), drain(parts, deadline), asio::use_future);
  drained.wait_until(deadline + std::chrono::seconds(15));
}

}  // namespace lambda::server
