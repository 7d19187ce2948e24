// Steps of an export: a container of the image is created, never started -> its file system streams
// from the Engine through a socket pair to the unpacking thread -> synced -> renamed -> the
// container is removed.
#include "sandbox/image/docker_image_builder.h"

#include "base/crypto.h"
#include "base/deadline.h"
#include "sandbox/docker/container.h"
#include "sandbox/docker/container_request.h"
#include "sandbox/image/context_body.h"
#include "sandbox/image/image_json.h"
#include "sandbox/image/unpack_image.h"
#include "sandbox/image/unpack_stream.h"

#include <boost/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <fcntl.h>
#include <set>
#include <sys/stat.h>
#include <sys/utsname.h>

namespace lambda::sandbox::image {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using docker::url_encode;
using std::chrono::minutes;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr seconds kEngineLimit{60};
// Until the Engine has taken the context and begins to speak; and the longest silence of a build
// step.
constexpr minutes kBuildBegin{15};
constexpr minutes kBuildSilence{30};
constexpr minutes kExportSilence{2};
// The unpacking may wait for its thread, and sync a large image in the end.
constexpr minutes kUnpackSilence{10};
// For images that are just being forgotten, before a deploy looks at them or builds one.
constexpr minutes kForgetLimit{2};
constexpr std::chrono::milliseconds kForgetLook{20};
constexpr int kRemoveAttempts = 6;
constexpr std::string_view kPartial = ".partial";
// So many characters of the server's id end the names of its images.
constexpr std::size_t kMarkInTags = 6;

std::string machine() {
  utsname names{};
  ::uname(&names);
  return names.machine;
}

// Renamed once the whole file system of the directory is on disk: a power loss after the rename
// must not show an image with holes.
Result<Done> sync_and_rename(const fs::path& from, const fs::path& to) {
  const UniqueFd directory(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::syncfs(directory.get()) != 0)
    return fail(Error::from_errno("write " + from.string() + " to disk"));
  std::error_code error;
  fs::rename(from, to, error);
  // Two deploys of one image exported it at once; both are the same.
  if (error && fs::exists(to / "rootfs")) {
    fs::remove_all(from, error);
    return Done{};
  }
  if (error) return fail(ErrorCode::internal, "rename to {}: {}", to.string(), error.message());
  const UniqueFd parent(::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent || ::fsync(parent.get()) != 0)
    return fail(Error::from_errno("write " + to.parent_path().string() + " to disk"));
  return Done{};
}

}  // namespace

DockerImageBuilder::DockerImageBuilder(std::shared_ptr<docker::EngineClient> engine,
                                       docker::ServerMark mark, fs::path images)
    : engine_(std::move(engine)), mark_(std::move(mark)), images_(std::move(images)) {}

Result<std::unique_ptr<DockerImageBuilder>> DockerImageBuilder::create(
    std::shared_ptr<docker::EngineClient> engine, const docker::ServerMark& mark,
    const fs::path& data_directory) {
  const auto images = data_directory / "images";
  std::error_code error;
  fs::create_directories(images, error);
  if (!error) fs::permissions(images, fs::perms::owner_all, error);
  if (error) return fail(ErrorCode::denied, "make {}: {}", images.string(), error.message());
  std::unique_ptr<DockerImageBuilder> made(new DockerImageBuilder(std::move(engine), mark, images));
  for (const auto& entry : fs::directory_iterator(images, error)) {
    if (entry.path().extension() == kPartial) made->delete_later(entry.path());
  }
  return made;
}

std::string DockerImageBuilder::tag_for(std::string_view function, std::uint64_t number) const {
  return fmt::format("func-{}:{}-{}", function, number, mark_.id.substr(0, kMarkInTags));
}

fs::path DockerImageBuilder::directory_of(std::string_view image_id) const {
  return images_ / image_id.substr(image_id.find(':') + 1);
}

Task<Result<ImageInfo>> DockerImageBuilder::build(fs::path context_tar, std::string tag,
                                                  std::map<std::string, std::string> labels,
                                                  std::function<void(std::string_view)> on_output) {
  // A build may come out as an image that was there before and is due to go.
  auto kept = co_await keep_all();
  if (!kept) co_return fail(std::move(kept.error()), "build {}", tag);
  auto context = ContextBody::open(context_tar, unpacking_);
  if (!context) co_return fail(std::move(context.error()));
  json::object all(json::object{{docker::kLabel, "image"}, {docker::kServerLabel, mark_.id}});
  for (const auto& [name, value] : labels) all[name] = value;
  // version=1: the classic builder, which every Engine has; BuildKit wants a session of its own.
  const auto path = fmt::format("/build?version=1&rm=1&forcerm=1&t={}&labels={}", url_encode(tag),
                                url_encode(json::serialize(all)));
  auto stream = co_await engine_->open("POST", path, std::string("application/x-tar"), **context,
                                       in(kBuildBegin));
  if (!stream) {
    auto error = std::move(stream.error());
    const bool refused =
        error.code() == ErrorCode::invalid || error.code() == ErrorCode::sandbox_failed;
    if (refused) co_return tl::unexpected<Error>(build_error(error.message()));
    co_return fail(std::move(error), "build {}", tag);
  }
  BuildOutput output(std::move(on_output));
  while (true) {
    auto piece = co_await (*stream)->read_some(kBuildSilence);
    if (!piece) co_return fail(std::move(piece.error()), "build {}", tag);
    if (piece->empty()) break;
    auto taken = output.feed(*piece);
    if (!taken) co_return fail(std::move(taken.error()));
  }
  co_return co_await inspect(output.image_id().empty() ? tag : output.image_id());
}

Task<Result<ImagePins::Hold>> DockerImageBuilder::keep_all() {
  const auto deadline = in(kForgetLimit);
  while (true) {
    if (auto kept = pins_.keep_all()) co_return std::move(kept);
    if (std::chrono::steady_clock::now() >= deadline)
      co_return fail(ErrorCode::conflict, "an old image is just being deleted: try again");
    co_await sleep_for(kForgetLook);
  }
}

Task<Result<ImageInfo>> DockerImageBuilder::inspect(std::string reference) {
  auto kept = co_await keep_all();
  if (!kept) co_return fail(std::move(kept.error()), "look at image {}", reference);
  auto answer = co_await engine_->call("GET", fmt::format("/images/{}/json", url_encode(reference)),
                                       std::string(), in(kEngineLimit));
  if (!answer && answer.error().code() == ErrorCode::not_found) {
    co_return fail(ErrorCode::not_found,
                   "there is no image \"{}\" in this server's Docker Engine: build it or load it "
                   "there first (docker build -t {} . or docker load)",
                   reference, reference);
  }
  if (!answer) co_return fail(std::move(answer.error()), "look at image {}", reference);
  auto info = image_info(*answer, machine());
  if (!info) co_return fail(std::move(info.error()), "image {}", reference);
  info->pin = pins_.pin(info->id);
  co_return info;
}

Task<Result<Done>> DockerImageBuilder::tag(std::string image_id, std::string new_tag) {
  const auto colon = new_tag.rfind(':');
  auto answer = co_await engine_->call(
      "POST",
      fmt::format("/images/{}/tag?repo={}&tag={}", url_encode(image_id),
                  url_encode(new_tag.substr(0, colon)),
                  colon == std::string::npos ? "latest" : url_encode(new_tag.substr(colon + 1))),
      std::string(), in(kEngineLimit));
  if (!answer) co_return fail(std::move(answer.error()), "tag image {}", image_id);
  co_return Done{};
}

bool DockerImageBuilder::named_here(std::string_view tag) const {
  return tag.starts_with("func-") && tag.ends_with("-" + mark_.id.substr(0, kMarkInTags));
}

// A conflict: the last container of the image is just being removed.
Task<Result<Done>> DockerImageBuilder::remove(std::string reference) {
  auto pause = std::chrono::milliseconds(100);
  for (int attempt = 1;; ++attempt) {
    auto answer = co_await engine_->call("DELETE", "/images/" + url_encode(reference),
                                         std::string(), in(kEngineLimit));
    if (answer || answer.error().code() == ErrorCode::not_found) co_return Done{};
    if (attempt == kRemoveAttempts || answer.error().code() != ErrorCode::conflict)
      co_return fail(std::move(answer.error()), "delete image {}", reference);
    co_await sleep_for(pause);
    pause *= 2;
  }
}

Task<Result<Done>> DockerImageBuilder::forget(std::string image_id, std::function<bool()> in_use) {
  const auto going = pins_.take_away(image_id);
  if (!going) co_return fail(ErrorCode::conflict, "image {} may just be deployed", image_id);
  // Whoever had it until now has come to a version, or to nothing.
  if (in_use()) co_return Done{};
  co_return co_await remove_image(std::move(image_id));
}

Task<Result<Done>> DockerImageBuilder::remove_image(std::string image_id) {
  auto unpacked = remove_exported(image_id);
  if (!unpacked) co_return unpacked;
  auto answer = co_await engine_->call("GET", fmt::format("/images/{}/json", url_encode(image_id)),
                                       std::string(), in(kEngineLimit));
  if (!answer && answer.error().code() == ErrorCode::not_found) co_return Done{};
  if (!answer) co_return fail(std::move(answer.error()), "look at image {}", image_id);
  auto names = image_names(*answer);
  if (!names) co_return fail(std::move(names.error()));
  // Docker deletes an image with its last name, so one that is somebody else's keeps one.
  const auto own = std::ranges::partition(
      names->tags, [this](const std::string& name) { return !named_here(name); });
  const bool others = own.begin() != names->tags.begin();
  const bool built_here = names->server == mark_.id;
  if (!others && !built_here) co_return Done{};
  for (auto& name : own) {
    auto removed = co_await remove(std::move(name));
    if (!removed) co_return removed;
  }
  if (names->tags.empty()) co_return co_await remove(std::move(image_id));
  co_return Done{};
}

std::optional<fs::path> DockerImageBuilder::exported_root(std::string_view image_id) const {
  auto root = directory_of(image_id) / "rootfs";
  std::error_code error;
  if (!fs::is_directory(root, error)) return std::nullopt;
  return root;
}

Task<Result<Done>> DockerImageBuilder::export_into(std::string container, fs::path partial) {
  http::BufferedBody nothing{std::string()};
  auto stream = co_await engine_->open("GET", fmt::format("/containers/{}/export", container),
                                       std::string(), nothing, in(kEngineLimit));
  if (!stream) co_return fail(std::move(stream.error()));
  std::error_code made;
  const auto rootfs = partial / "rootfs";
  fs::create_directories(rootfs, made);
  if (made) co_return fail(ErrorCode::internal, "make {}: {}", rootfs.string(), made.message());
  NextPiece next = [&stream] { return (*stream)->read_some(kExportSilence); };
  Unpacking unpacking;
  unpacking.unpack = [rootfs](int source) { return unpack_image(source, rootfs); };
  unpacking.clear_up = [this, partial] { delete_later(partial); };
  unpacking.patience = kUnpackSilence;
  co_return co_await unpack_stream(unpacking_, std::move(next), std::move(unpacking));
}

// Created, never started. Its name is ours, so that it can be removed whatever the Engine says.
Task<Result<std::string>> DockerImageBuilder::create_container(std::string image_id) {
  json::object body;
  body["Image"] = image_id;
  body["Entrypoint"] = json::array{"/never-started"};
  body["Labels"] = docker::own_labels("export", mark_.id, mark_.run);
  body["HostConfig"] = json::object{{"NetworkMode", "none"}};
  const auto name = "lambda-export-" + random_uuid();
  bool sent = false;
  auto created = co_await engine_->call("POST", "/containers/create?name=" + name,
                                        json::serialize(body), in(kEngineLimit), &sent);
  if (created) co_return name;
  if (docker::leaves_open(created.error(), sent))
    docker::remove_when_made(co_await asio::this_coro::executor, engine_, name);
  co_return fail(std::move(created.error()));
}

Task<Result<fs::path>> DockerImageBuilder::export_root(std::string image_id) {
  if (auto there = exported_root(image_id)) co_return std::move(*there);
  auto container = co_await create_container(image_id);
  if (!container) co_return fail(std::move(container.error()), "export image {}", image_id);
  const auto target = directory_of(image_id);
  const fs::path partial = fmt::format("{}.{}{}", target.string(), random_uuid(), kPartial);
  auto exported = co_await export_into(*container, partial);
  auto removed = co_await docker::remove_container(engine_, *container);
  if (!removed) spdlog::warn("{}", removed.error().message());
  if (exported) {
    auto finish = [partial, target] { return sync_and_rename(partial, target); };
    exported = co_await run_blocking(unpacking_, std::move(finish));
  }
  if (!exported) co_return fail(std::move(exported.error()), "export image {}", image_id);
  co_return target / "rootfs";
}

// Under another name first: what is half-deleted must not be taken for an image, and nobody waits
// for the rest, which takes seconds on some disks.
Result<Done> DockerImageBuilder::remove_exported(std::string_view image_id) {
  const auto directory = directory_of(image_id);
  std::error_code error;
  if (!fs::exists(directory, error)) return Done{};
  const fs::path doomed = fmt::format("{}.{}{}", directory.string(), random_uuid(), kPartial);
  fs::rename(directory, doomed, error);
  if (error) return fail(ErrorCode::internal, "delete {}: {}", directory.string(), error.message());
  delete_later(doomed);
  return Done{};
}

void DockerImageBuilder::delete_later(fs::path directory) {
  auto job = [directory = std::move(directory)] {
    std::error_code error;
    fs::remove_all(directory, error);
    if (error) spdlog::warn("delete {}: {}", directory.string(), error.message());
  };
  deleting_.post(std::move(job));
}

Task<Result<std::vector<std::string>>> DockerImageBuilder::list(std::string filters) {
  auto answer = co_await engine_->call("GET", "/images/json?filters=" + filters, std::string(),
                                       in(kEngineLimit));
  if (!answer) co_return fail(std::move(answer.error()), "list the images of this server");
  co_return listed_images(*answer);
}

Task<Result<Done>> DockerImageBuilder::collect_garbage(std::vector<std::string> used) {
  std::ranges::sort(used);
  std::set<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(images_, error)) {
    if (entry.path().extension() != kPartial)
      found.insert("sha256:" + entry.path().filename().string());
  }
  auto built = co_await list(docker::own_filter(mark_.id));
  if (!built) co_return fail(std::move(built.error()));
  found.insert(built->begin(), built->end());
  json::object named;
  named["reference"] = json::array{"func-*:*-" + mark_.id.substr(0, kMarkInTags)};
  auto tagged = co_await list(url_encode(json::serialize(named)));
  if (!tagged) co_return fail(std::move(tagged.error()));
  found.insert(tagged->begin(), tagged->end());
  for (const auto& id : found) {
    if (std::ranges::binary_search(used, id)) continue;
    std::function<bool()> in_use = [] { return false; };
    auto forgotten = co_await forget(id, std::move(in_use));
    if (!forgotten) spdlog::warn("{}", forgotten.error().message());
  }
  co_return Done{};
}

}  // namespace lambda::sandbox::image
