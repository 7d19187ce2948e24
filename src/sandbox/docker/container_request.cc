#include "sandbox/docker/container_request.h"

#include "sandbox/docker/engine_client.h"
#include "sandbox/docker/seccomp_profile.h"
#include "sandbox/limits.h"
#include "sandbox/secret_files.h"

#include <boost/json.hpp>

#include <algorithm>

namespace lambda::sandbox::docker {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kSharesOfOneCpu = 1024;
// The user that the runtimes' /etc/passwd has; an image's own USER does not count.
constexpr int kUserId = 993;
constexpr int kGroupId = 990;

json::object read_only_bind(const std::string& source, std::string_view target) {
  json::object mount;
  mount["Type"] = "bind";
  mount["Source"] = source;
  mount["Target"] = target;
  mount["ReadOnly"] = true;
  return mount;
}

// Docker's own, and what tells about the machine beside.
json::array masked_paths() {
  return {"/proc/acpi",
          "/proc/asound",
          "/proc/bus",
          "/proc/cmdline",
          "/proc/interrupts",
          "/proc/iomem",
          "/proc/kallsyms",
          "/proc/kcore",
          "/proc/keys",
          "/proc/latency_stats",
          "/proc/modules",
          "/proc/sched_debug",
          "/proc/scsi",
          "/proc/sysrq-trigger",
          "/proc/timer_list",
          "/proc/timer_stats",
          "/sys/devices/virtual/powercap",
          "/sys/firmware"};
}

json::array mounts(const SandboxSpec& spec, const ContainerPlan& plan) {
  json::array all;
  all.push_back(read_only_bind(plan.init_program.string(), kInitProgram));
  all.push_back(read_only_bind(plan.control_directory.string(), kControlDirectory));
  if (!spec.task_directory.empty())
    all.push_back(read_only_bind(spec.task_directory.string(), "/var/task"));
  for (std::size_t i = 0; i < plan.volumes.size(); ++i) {
    json::object options;
    options["Labels"] = own_labels("volume", plan.server, plan.run);
    json::object mount;
    mount["Type"] = "volume";
    mount["Source"] = volume_name(spec.id, i);
    mount["Target"] = plan.volumes[i];
    mount["ReadOnly"] = true;
    mount["VolumeOptions"] = std::move(options);
    all.push_back(std::move(mount));
  }
  return all;
}

// /tmp lies in memory and is charged to the container, but is not the function's memory: the hard
// limit leaves room for both, and lambda-init watches the function's own share (--memory).
json::object host_config(const SandboxSpec& spec, const ContainerPlan& plan) {
  const auto hard_limit = spec.memory_bytes + spec.tmp_bytes + kHardLimitSlack;
  json::object host;
  host["Memory"] = hard_limit;
  host["MemorySwap"] = hard_limit;  // memory and swap together: no swap
  host["CpuShares"] = std::clamp<std::uint64_t>(
      kSharesOfOneCpu * (spec.memory_bytes >> 20) / (kMemoryOfOneCpu >> 20), 2, 262'144);
  host["PidsLimit"] = spec.processes + 1;  // and init
  host["OomScoreAdj"] = kOomScore;
  // With a limit of 0 the kernel still starts the machine's core_pattern program for a crash; with
  // 1 it does not. The filter keeps it at 1.
  json::object core;
  core["Name"] = "core";
  core["Soft"] = 1;
  core["Hard"] = 1;
  host["Ulimits"] = json::array{std::move(core)};
  host["ReadonlyRootfs"] = true;
  host["CapDrop"] = json::array{"ALL"};
  host["SecurityOpt"] = json::array{"no-new-privileges"};
  if (plan.seccomp)
    host["SecurityOpt"].as_array().push_back(json::string("seccomp=" + seccomp_profile()));
  host["MaskedPaths"] = masked_paths();
  host["CgroupnsMode"] = "private";
  host["NetworkMode"] = "none";
  host["IpcMode"] = "private";
  host["ShmSize"] = kSharedMemoryBytes;
  json::object tmpfs;
  // Docker mounts the message queues of the namespace there, in which anyone can make files.
  tmpfs["/dev/mqueue"] = "ro,mode=0555,size=4k";
  tmpfs["/tmp"] = fmt::format("rw,exec,nosuid,nodev,mode=1777,size={},nr_inodes={}", spec.tmp_bytes,
                              spec.tmp_bytes / kBytesPerInode);
  if (!spec.secret_files.empty()) {
    tmpfs[kSecretDirectory] =
        fmt::format("rw,noexec,nosuid,nodev,mode=0700,uid={},gid={},size={},nr_inodes={}", kUserId,
                    kGroupId, secret_bytes(spec), spec.secret_files.size() + 1);
  }
  host["Tmpfs"] = std::move(tmpfs);
  // Belongs to the container's own network namespace. An HTTP function may listen on port 80.
  host["Sysctls"] = json::object{{"net.ipv4.ip_unprivileged_port_start", "0"}};
  host["Mounts"] = mounts(spec, plan);
  host["RestartPolicy"] = json::object{{"Name", "no"}};
  // Only init's last words before it has a channel come this way.
  json::object log;
  log["Type"] = "json-file";
  log["Config"] = json::object{{"max-size", "64k"}, {"max-file", "1"}};
  host["LogConfig"] = std::move(log);
  return host;
}

}  // namespace

json::object own_labels(std::string_view kind, std::string_view server, std::string_view run) {
  return {{kLabel, kind}, {kServerLabel, server}, {kRunLabel, run}};
}

std::string container_name(std::string_view sandbox_id) {
  return fmt::format("lambda-{}", sandbox_id);
}

std::string volume_name(std::string_view sandbox_id, std::size_t index) {
  return fmt::format("lambda-{}-{}", sandbox_id, index);
}

std::string own_filter(std::string_view server) {
  const auto label = fmt::format("{}={}", kServerLabel, server);
  json::object filter;
  filter["label"] = json::array{label};
  return url_encode(json::serialize(filter));
}

std::string container_body(const SandboxSpec& spec, const ContainerPlan& plan) {
  auto labels = own_labels("sandbox", plan.server, plan.run);
  labels["lambda.function"] = spec.function;
  labels["lambda.version"] = spec.version;
  json::object body;
  body["Image"] = plan.image;
  body["Hostname"] = "lambda";
  body["User"] = fmt::format("{}:{}", kUserId, kGroupId);
  // The function's own program, environment and directory go to init, through its channel.
  body["Entrypoint"] = json::array{kInitProgram};
  body["Cmd"] = json::array{"--socket", fmt::format("{}/{}", kControlDirectory, kControlSocket),
                            "--memory", std::to_string(spec.memory_bytes)};
  body["WorkingDir"] = "/";
  body["Healthcheck"] = json::object{{"Test", json::array{"NONE"}}};
  body["Labels"] = std::move(labels);
  body["HostConfig"] = host_config(spec, plan);
  return json::serialize(body);
}

}  // namespace lambda::sandbox::docker
