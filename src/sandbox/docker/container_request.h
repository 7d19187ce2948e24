// What Docker Engine is told about a sandbox's container. Pure; any thread.
#pragma once

#include "sandbox/sandbox.h"

#include <boost/json.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::docker {

// Every container and image of a server carries its id, so that it knows its own again.
inline constexpr std::string_view kLabel = "lambda";
inline constexpr std::string_view kServerLabel = "lambda.server";
// Containers and volumes, which no later run of the server has a use for, carry its run's, too.
inline constexpr std::string_view kRunLabel = "lambda.run";
// Where the control socket and our init are inside.
inline constexpr std::string_view kControlDirectory = "/run/lambda";
inline constexpr std::string_view kControlSocket = "init.sock";
inline constexpr std::string_view kInitProgram = "/run/lambda-init";

struct ContainerPlan {
  std::string image;                        // a reference or "sha256:..."
  std::string server;                       // ServerMark::id
  std::string run;                          // ServerMark::run
  std::filesystem::path init_program;       // on the host
  std::filesystem::path control_directory;  // on the host; holds kControlSocket
  // VOLUMEs of the image. Docker would make each a writable place on the host's disk, without a
  // limit; they are mounted read-only, with what the image has there.
  std::vector<std::string> volumes;
  bool seccomp = true;  // false: the Engine has none
};

// The labels of a container or volume. `kind` says what it is for.
[[nodiscard]] boost::json::object own_labels(std::string_view kind, std::string_view server,
                                             std::string_view run);
// The body of POST /containers/create.
[[nodiscard]] std::string container_body(const SandboxSpec& spec, const ContainerPlan& plan);
[[nodiscard]] std::string container_name(std::string_view sandbox_id);
// Docker takes no read-only volume without a name.
[[nodiscard]] std::string volume_name(std::string_view sandbox_id, std::size_t index);
// ?filters=... for what this server made.
[[nodiscard]] std::string own_filter(std::string_view server);

}  // namespace lambda::sandbox::docker
