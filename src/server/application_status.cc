// How the server is: for clients on this machine, the status, the doctor and the metrics.
#include "server/application_parts.h"

namespace lambda::server {
namespace {

// Somebody waits for it.
constexpr std::chrono::seconds kDockerLimitWhenAsked{2};

}  // namespace

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

ServerState Application::Parts::state() const {
  const auto driver = driver_facts.values();
  ServerState state;
  state.version = LAMBDA_VERSION;
  state.native = drivers.standard == function::DriverName::native;
  state.driver_works = driver.works;
  state.driver_text = fmt::format("{}: {}", function::to_string(drivers.standard), driver.reason);
  state.docker_works = driver.docker_works;
  state.docker_text = driver.docker;
  state.egress = to_string(configuration.egress);
  state.egress_missing = egress_missing();
  state.runtimes = runtimes.names();
  state.missing_runtimes = runtimes.missing();
  state.port = listeners.port;
  state.port_reason = listeners.port_reason;
  state.addresses = listeners.addresses;
  state.exposure = exposure(listeners, configuration.insecure);
  state.instances = invoker->budget().used();
  state.most_instances = invoker->budget().limit();
  for (const auto& watch : threads.watches()) {
    state.stalls += watch->stalls();
    const auto longest = std::chrono::duration_cast<std::chrono::milliseconds>(watch->longest());
    state.longest_stall_ms = std::max<std::int64_t>(state.longest_stall_ms, longest.count());
  }
  return state;
}

// What status() says, and the checks: a look at Docker, and at the machine from the disk's threads.
Task<boost::json::object> Application::Parts::doctor() {
  auto object = co_await status(true);
  auto look = [directory = configuration.data_directory] { return look_at_machine(directory); };
  const auto machine = co_await run_blocking(disk, std::move(look));
  object["checks"] = checks_json(checks_of(machine, state()));
  co_return object;
}

observe::ServerFacts Application::Parts::facts_for_metrics() const {
  observe::ServerFacts facts;
  facts.version = LAMBDA_VERSION;
  facts.driver = function::to_string(drivers.standard);
  facts.started = started;
  facts.uptime = std::chrono::steady_clock::now() - started_steady;
  facts.functions = catalog->snapshot()->functions.size();
  facts.instances = invoker->budget().used();
  facts.most_instances = invoker->budget().limit();
  facts.body_bytes = bodies.used();
  facts.most_body_bytes = bodies.limit();
  facts.connections = server ? server->open_connections() : 0;
  for (const auto& watch : threads.watches())
    facts.loops.push_back({watch->name(), watch->stalls(), watch->longest()});
  facts.process = observe::usage_of_this_process();
  if (native) {
    for (const auto& [root, counts] : native->stems().counts())
      facts.stems[root] = {counts.waiting, counts.taken, counts.missed};
  }
  if (traces) facts.traces.lost = traces->lost();
  if (exporter) {
    const auto counts = exporter->counts();
    facts.traces.exports = true;
    facts.traces.exported = counts.exported;
    facts.traces.export_lost = counts.lost;
    facts.traces.export_waiting = counts.waiting;
  }
  return facts;
}

}  // namespace lambda::server
