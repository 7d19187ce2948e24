// The objects of a server, and what of them makes which. Private to the application*.cc: the graph
// is built in application.cc, its drivers in application_drivers.cc, and application_status.cc says
// how it is.
#pragma once

#include "api/api_handler.h"
#include "api/audit_trail.h"
#include "base/background.h"
#include "base/crypto.h"
#include "base/deadline.h"
#include "base/encoding.h"
#include "base/watched_clock.h"
#include "deploy/dependencies/dependency_installer.h"
#include "deploy/image_code.h"
#include "deploy/staged_deployer.h"
#include "egress/allowed_addresses.h"
#include "egress/name_lookup.h"
#include "events/queue/event_queue.h"
#include "events/scheduler/scheduler.h"
#include "events/webhook/sender.h"
#include "gateway/gateway.h"
#include "http/server.h"
#include "invoke/instance_starter.h"
#include "invoke/sharded_invoker.h"
#include "observe/log_store.h"
#include "observe/trace/otlp_exporter.h"
#include "observe/trace/trace_store.h"
#include "sandbox/native/native_driver.h"
#include "sandbox/runtime_catalog.h"
#include "server/access_keeper.h"
#include "server/admin_key.h"
#include "server/application.h"
#include "server/capacity.h"
#include "server/counted_deployer.h"
#include "server/deploy_log.h"
#include "server/docker_parts.h"
#include "server/doctor_checks.h"
#include "server/housekeeper.h"
#include "server/idle_keeper.h"
#include "server/loop_threads.h"
#include "server/metrics_service.h"
#include "server/privileges.h"
#include "server/server_files.h"
#include "store/audit_table.h"
#include "store/database.h"
#include "store/group_commit.h"
#include "store/key_table.h"

#include <boost/json.hpp>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

namespace lambda::server {

// What people are told of the drivers. It changes with what Docker Engine answers. Any thread.
class DriverFacts {
 public:
  struct Values {
    bool works = false;
    bool docker_works = false;
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
  const WallTime started = system_clock.now();
  const SteadyTime started_steady = system_clock.steady_now();
  WatchedClock clock{system_clock};
  std::unique_ptr<sandbox::native::SpawnClient> spawn;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<store::KeyTable> keys;
  std::unique_ptr<store::AuditTable> audit;
  std::unique_ptr<function::Catalog> catalog;
  std::unique_ptr<function::SecretTable> secrets;
  std::unique_ptr<function::PackageStore> packages;
  std::unique_ptr<observe::LogStore> logs;
  sandbox::RuntimeCatalog runtimes;
  // Before the thread and the loops, which still work for them when they are taken down.
  std::unique_ptr<store::GroupCommit> commits;
  std::unique_ptr<api::AuditTrail> trail;
  std::unique_ptr<events::EventQueue> events;
  std::unique_ptr<events::Scheduler> scheduler;
  DriverFacts driver_facts;
  std::atomic<bool> following_docker = false;
  std::mutex telling;
  ServerFile server_file;
  BlockingPool store_thread{"store", 1};
  BlockingPool disk{"disk", 2};
  BlockingPool log_readers{"log-readers", 2};
  BlockingPool users{"users", 1};
  BlockingPool metrics_thread{"metrics", 1};
  http::BodyBudget bodies;
  BlockingPool readers{"readers", store::Database::kReaders};
  LoopThreads threads;
  std::unique_ptr<observe::TraceStore> traces;
  std::unique_ptr<observe::OtlpExporter> exporter;
  std::vector<std::unique_ptr<observe::CallFanOut>> call_sinks;  // one a loop
  std::unique_ptr<events::WebhookSender> webhooks;               // its look-ups post to the loops
  egress::AddressRules build_rules;
  std::unique_ptr<egress::NameLookup> build_names;  // on the first loop
  DockerParts docker;
  std::unique_ptr<sandbox::native::NativeDriver> native;
  invoke::Drivers drivers;
  std::string native_text;  // what the native driver found; "" where it cannot work
  std::unique_ptr<invoke::InstanceStarter> starter;
  std::unique_ptr<invoke::ShardedInvoker> invoker;
  std::unique_ptr<MetricsService> metrics;
  std::unique_ptr<Housekeeper> housekeeper;
  std::unique_ptr<IdleKeeper> idle_keeper;
  std::unique_ptr<AccessKeeper> access_keeper;
  std::unique_ptr<deploy::DependencyCache> dependency_cache;
  std::unique_ptr<deploy::DependencyInstaller> dependencies;
  std::unique_ptr<deploy::StagedDeployer> staged_deployer;
  std::unique_ptr<CountedDeployer> deployer;
  std::unique_ptr<access::Authenticator> authenticator;
  std::unique_ptr<api::ApiHandler> api;
  std::unique_ptr<gateway::Gateway> gateway;
  std::unique_ptr<http::Server> server;

  void keep_stems();
  [[nodiscard]] std::string egress_missing() const;
  Result<Done> open_state();
  Result<Done> open_traces();
  Result<Done> make_exporter();
  void record_calls();
  [[nodiscard]] invoke::TraceRules trace_rules() const {
    return invoke::TraceRules(configuration.otlp_endpoint.empty() ? 0 : configuration.otlp_sample);
  }
  Result<Done> make_drivers(const UniqueFd& init_program, sandbox::docker::Groups groups);
  void make_native_driver();
  void make_docker_driver(const UniqueFd& init_program, sandbox::docker::Groups groups);
  void describe_drivers(bool docker_works, const std::string& docker_text);
  Task<bool> look_at_docker(std::chrono::seconds limit);
  Task<void> follow_docker();
  Task<void> wait_for_docker();
  Task<void> tidy_logs();
  [[nodiscard]] Result<Done> tell_local_clients();
  Result<Done> make_metrics();
  [[nodiscard]] observe::ServerFacts facts_for_metrics() const;
  void make_webhooks();
  Result<Done> make_events();
  Result<Done> make_dependencies(const std::filesystem::path& temporary);
  gateway::AsyncCalls async_calls();
  Task<Result<std::string>> submit(gateway::AsyncCall call);
  Result<Done> make_services();
  [[nodiscard]] api::Services services();
  [[nodiscard]] Result<Done> check_runtime(std::string_view runtime) const;
  Task<boost::json::object> status(bool look);
  [[nodiscard]] ServerState state() const;
  Task<boost::json::object> doctor();
  [[nodiscard]] std::string base_url() const;
  Task<Result<api::TakenCode>> resolve_image(std::string reference, function::DriverName driver);
};

}  // namespace lambda::server
