#include "sandbox/image/image_json.h"

#include "sandbox/docker/container_request.h"
#include "sandbox/docker/engine_json.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>

namespace lambda::sandbox::image {
namespace {

namespace json = boost::json;
using docker::object_in;
using docker::text_in;

// No line of a build is near this; what is longer is no build output.
constexpr std::size_t kMaxLine = 4u << 20;

std::vector<std::string> strings_in(const json::object& object, std::string_view key) {
  std::vector<std::string> strings;
  const auto* found = object.if_contains(key);
  if (found == nullptr || !found->is_array()) return strings;
  for (const auto& item : found->as_array()) {
    if (item.is_string()) strings.emplace_back(item.as_string());
  }
  return strings;
}

// "80/tcp"; UDP is nothing that we serve.
std::vector<std::uint16_t> ports_in(const json::object& config) {
  std::vector<std::uint16_t> ports;
  for (const auto& [key, ignored] : object_in(config, "ExposedPorts")) {
    const std::string_view text(key);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const std::string_view protocol(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (error == std::errc() && port != 0 && (protocol.empty() || protocol == "/tcp"))
      ports.push_back(port);
  }
  std::ranges::sort(ports);
  return ports;
}

// Docker's names for what uname calls otherwise.
std::string_view docker_name(std::string_view machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

bool wants_buildkit(std::string_view message) {
  // The classic builder reads a heredoc's lines as instructions, and does not know newer flags.
  for (const std::string_view sign :
       {"BuildKit", "buildkit", "unknown instruction", "Unknown flag", "unknown flag"}) {
    if (message.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

// An image of FROM that is neither here nor to be had; the words are Docker Engine's and those of
// registries. What a step of the build prints may hold them too.
bool lacks_base_image(std::string_view message) {
  if (message.starts_with("The command ")) return false;
  for (const std::string_view sign :
       {"pull access denied", "repository does not exist", "manifest unknown", "manifest for ",
        "No such image", "/v2/", "no such host", "invalid reference format"}) {
    if (message.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

Result<ImageInfo> image_info(std::string_view answer, std::string_view machine) {
  boost::system::error_code error;
  const auto value = json::parse(answer, error);
  if (error || !value.is_object() || text_in(value.as_object(), "Id").empty())
    return fail(ErrorCode::unavailable, "Docker Engine described no image");
  const auto& image = value.as_object();
  const auto& config = object_in(image, "Config");
  ImageInfo info;
  info.id = text_in(image, "Id");
  info.entry_point = strings_in(config, "Entrypoint");
  info.command = strings_in(config, "Cmd");
  for (const auto& entry : strings_in(config, "Env")) {
    const auto equals = entry.find('=');
    if (equals != std::string::npos && equals > 0)
      info.environment[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  info.working_directory = text_in(config, "WorkingDir");
  info.exposed_ports = ports_in(config);
  if (const auto* size = image.if_contains("Size"); size != nullptr && size->is_int64())
    info.size = static_cast<std::uint64_t>(size->as_int64());
  info.architecture = text_in(image, "Architecture");
  const auto system = text_in(image, "Os");
  const auto wanted = docker_name(machine);
  if ((!system.empty() && system != "linux") ||
      (!info.architecture.empty() && info.architecture != wanted)) {
    return fail(ErrorCode::invalid,
                "the image is made for {}/{}, this server is linux/{}: build it with "
                "--platform=linux/{}",
                system, info.architecture, wanted, wanted);
  }
  return info;
}

Result<ImageNames> image_names(std::string_view answer) {
  boost::system::error_code error;
  const auto value = json::parse(answer, error);
  if (error || !value.is_object())
    return fail(ErrorCode::unavailable, "Docker Engine described no image");
  const auto& image = value.as_object();
  ImageNames names;
  names.tags = strings_in(image, "RepoTags");
  std::erase(names.tags, "<none>:<none>");
  names.server = text_in(object_in(object_in(image, "Config"), "Labels"), docker::kServerLabel);
  return names;
}

Result<std::vector<std::string>> listed_images(std::string_view answer) {
  boost::system::error_code error;
  const auto value = json::parse(answer, error);
  if (error || !value.is_array())
    return fail(ErrorCode::unavailable, "Docker Engine answered with no list of images");
  std::vector<std::string> ids;
  for (const auto& item : value.as_array()) {
    if (item.is_object()) ids.push_back(text_in(item.as_object(), "Id"));
  }
  std::erase(ids, "");
  return ids;
}

Error build_error(std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  std::string text = fmt::format("the build failed: {}", message);
  if (wants_buildkit(message)) {
    text +=
        ". Docker Engine's own builder is used here, which knows no heredocs (<<EOF), RUN --mount "
        "or "
        "other extensions of BuildKit: write the Dockerfile without them, or build the image "
        "yourself (docker buildx build --load -t NAME .) and deploy that: lambda deploy --image "
        "NAME";
  } else if (lacks_base_image(message)) {
    text +=
        ". The image that FROM names is not on this server and could not be fetched. What is here "
        "without a registry: lambda/python:3.11, lambda/node:20, lambda/node:22, lambda/node:24 "
        "and lambda/provided (made by `runtimes/build --docker`), and what `docker images` lists";
  }
  return Error(ErrorCode::invalid, std::move(text));
}

Result<Done> BuildOutput::feed(std::string_view bytes) {
  rest_ += bytes;
  std::size_t begin = 0;
  for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
    auto taken = take_line(std::string_view(rest_).substr(begin, end - begin));
    if (!taken) return taken;
    begin = end + 1;
  }
  rest_.erase(0, begin);
  if (rest_.size() > kMaxLine)
    return fail(ErrorCode::unavailable, "what Docker Engine sends is no build output");
  return Done{};
}

Result<Done> BuildOutput::take_line(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return Done{};
  boost::system::error_code error;
  const auto value = json::parse(line, error);
  if (error || !value.is_object()) return Done{};
  const auto& object = value.as_object();
  if (auto text = text_in(object, "stream"); !text.empty()) on_text_(text);
  // A pull: its steps, without the progress bars.
  if (auto status = text_in(object, "status");
      !status.empty() && object_in(object, "progressDetail").empty()) {
    const auto id = text_in(object, "id");
    on_text_(id.empty() ? status + "\n" : fmt::format("{}: {}\n", id, status));
  }
  if (auto id = text_in(object_in(object, "aux"), "ID"); !id.empty()) image_id_ = id;
  auto message = text_in(object_in(object, "errorDetail"), "message");
  if (message.empty()) message = text_in(object, "error");
  if (!message.empty()) return fail(build_error(message));
  return Done{};
}

}  // namespace lambda::sandbox::image
