#include "server/server_log.h"

#include "server/log_format.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace lambda::server {
namespace {

std::unique_ptr<spdlog::formatter> formatter_for(const Configuration& configuration) {
  return configuration.log_format == "json" ? json_log_formatter() : log_formatter();
}

}  // namespace

void set_up_log(const Configuration& configuration) {
  auto logger = spdlog::stderr_logger_mt("lambdad");
  logger->set_formatter(formatter_for(configuration));
  logger->set_level(spdlog::level::from_str(configuration.log_level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
}

Result<Done> add_log_file(const Configuration& configuration) {
  const auto& path = configuration.log_file;
  if (path.empty()) return Done{};
  // A full file is renamed.
  if (::access(path.parent_path().c_str(), W_OK | X_OK) != 0) {
    return fail(Error::from_errno(
                    fmt::format("log_file {}: the user that the server runs as (uid {}) must be "
                                "able to write in that directory",
                                path.string(), ::geteuid()))
                    .as(ErrorCode::denied));
  }
  spdlog::file_event_handlers handlers;
  // It tells of functions and callers.
  handlers.after_open = [](const spdlog::filename_t&, std::FILE* file) {
    (void)::fchmod(::fileno(file), 0640);
  };
  try {
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        path.string(), configuration.log_file_size << 20, configuration.log_files - 1, false,
        handlers);
    sink->set_formatter(formatter_for(configuration));
    spdlog::default_logger()->sinks().push_back(std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    return fail(ErrorCode::denied, "log_file {}: {}", path.string(), error.what());
  }
  return Done{};
}

}  // namespace lambda::server
