#include "sandbox/native/spawn_request.h"

#include <algorithm>
#include <cstring>

namespace lambda::sandbox::native {
namespace {

constexpr std::uint64_t kMiB = 1ull << 20;
// In memory that no limit of the function's counts.
constexpr std::uint32_t kMostSecretFiles = 256;
constexpr std::uint64_t kMostSecretBytes = 4 * kMiB;

template <std::size_t Size>
bool is_terminated(const char (&text)[Size]) {
  return std::memchr(text, '\0', Size) != nullptr;
}

Result<Done> check_egress(const SpawnRequest& request) {
  const bool networks = request.egress == Egress::networks;
  if (!networks && request.egress != Egress::none && request.egress != Egress::internet)
    return fail(ErrorCode::invalid, "lambda-spawn knows no such way out");
  if (request.network_count > kMostNetworks || networks != (request.network_count > 0))
    return fail(ErrorCode::invalid, "{} networks cannot be a way out", request.network_count);
  for (std::uint32_t i = 0; i < request.network_count; ++i) {
    // Read as bytes: what came need not be a bool.
    unsigned char v6 = 0;
    std::memcpy(&v6, &request.networks[i].v6, sizeof(v6));
    if (v6 > 1 || !request.networks[i].is_sound())
      return fail(ErrorCode::invalid, "network {} of the way out is none", i);
  }
  return Done{};
}

// What is the function's: of a start and of a fill.
Result<Done> check_fill(const SpawnRequest& request) {
  if (!is_terminated(request.task))
    return fail(ErrorCode::invalid, "a path of the sandbox is too long");
  const std::string_view task = request.task;
  if (!task.empty() && !is_clean_path(task))
    return fail(ErrorCode::invalid, "\"{}\" is no directory for a function's code", task);
  if (request.memory_bytes < 16 * kMiB || request.memory_bytes > 1024 * 1024 * kMiB)
    return fail(ErrorCode::invalid, "{} bytes of memory cannot be a limit", request.memory_bytes);
  if (request.tmp_bytes < kMiB || request.tmp_bytes > 1024 * 1024 * kMiB)
    return fail(ErrorCode::invalid, "{} bytes cannot be the size of /tmp", request.tmp_bytes);
  if (request.secret_files > kMostSecretFiles || request.secret_bytes > kMostSecretBytes ||
      (request.secret_files == 0) != (request.secret_bytes == 0))
    return fail(ErrorCode::invalid, "{} secrets of {} bytes in all are more than files can hold",
                request.secret_files, request.secret_bytes);
  if (request.processes < 1 || request.processes > 1'000'000)
    return fail(ErrorCode::invalid, "{} cannot be a limit of processes", request.processes);
  return check_egress(request);
}

Result<Done> check_start(const SpawnRequest& request) {
  if (!is_terminated(request.root))
    return fail(ErrorCode::invalid, "a path of the sandbox is too long");
  const std::string_view root = request.root;
  if (request.root_kind != RootKind::runtime && request.root_kind != RootKind::image)
    return fail(ErrorCode::invalid, "the sandbox's root is neither a runtime nor an image");
  if (!is_clean_path(root))
    return fail(ErrorCode::invalid, "\"{}\" is no root for a sandbox", root);
  if (request.root_kind == RootKind::runtime && root.find('/') != std::string_view::npos)
    return fail(ErrorCode::invalid, "\"{}\" is no runtime's name", root);
  if (request.stem != 0 && (request.task[0] != '\0' || request.secret_files != 0))
    return fail(ErrorCode::invalid, "a stem has neither code nor secrets");
  if (request.fork != 0 && request.root_kind != RootKind::runtime)
    return fail(ErrorCode::invalid, "only a runtime has a zygote, an image has none");
  return check_fill(request);
}

}  // namespace

EgressRule egress_of(const SpawnRequest& request) {
  EgressRule rule;
  rule.out = request.egress != Egress::none;
  rule.networks.assign(request.networks, request.networks + request.network_count);
  return rule;
}

bool is_sandbox_id(std::string_view id) {
  if (id.empty() || id.size() > 40) return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_clean_path(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.back() == '/') return false;
  if (std::any_of(path.begin(), path.end(), [](char c) { return c >= 0 && c < ' '; })) return false;
  while (true) {
    const auto end = path.find('/');
    const auto part = path.substr(0, end);
    if (part.empty() || part == "." || part == "..") return false;
    if (end == std::string_view::npos) return true;
    path.remove_prefix(end + 1);
  }
}

Result<Done> check_request(const SpawnRequest& request) {
  switch (request.operation) {
    case Operation::start:
    case Operation::stop:
    case Operation::freeze:
    case Operation::thaw:
    case Operation::status:
    case Operation::fill:
    case Operation::limit_cpu:
      break;
    default:
      return fail(ErrorCode::invalid, "lambda-spawn knows no such operation");
  }
  if (!is_terminated(request.id) || !is_sandbox_id(request.id))
    return fail(ErrorCode::invalid, "a sandbox's id is 1 to 40 of a-z, 0-9 and -");
  if (request.operation == Operation::start) return check_start(request);
  if (request.operation == Operation::fill) return check_fill(request);
  if (request.operation == Operation::limit_cpu &&
      (request.cpu_thousandths < 10 || request.cpu_thousandths > 1'000'000))
    return fail(ErrorCode::invalid, "{} thousandths of a CPU cannot be a limit",
                request.cpu_thousandths);
  return Done{};
}

}  // namespace lambda::sandbox::native
