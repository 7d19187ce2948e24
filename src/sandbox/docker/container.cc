#include "sandbox/docker/container.h"

#include "base/background.h"
#include "base/deadline.h"
#include "sandbox/docker/container_request.h"
#include "sandbox/docker/engine_json.h"

#include <boost/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace lambda::sandbox::docker {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr seconds kRemoveLimit{30};
constexpr int kRemoveAttempts = 6;
// For what the Engine does not remove at once, or has not even made yet.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{60'000};
constexpr std::chrono::hours kKeepTrying{1};

// `may_appear`: it may not be there yet, so that its absence does not end it.
Task<void> keep_removing(std::shared_ptr<EngineClient> engine, std::string id,
                         std::vector<std::string> volumes, bool may_appear) {
  const auto path = fmt::format("/containers/{}?force=1&v=1", url_encode(id));
  const auto end = in(kKeepTrying);
  for (auto pause = kFirstPause;; pause = std::min(pause * 2, kLongestPause)) {
    auto removed = co_await engine->call("DELETE", path, std::string(), in(kRemoveLimit));
    const bool absent = !removed && removed.error().code() == ErrorCode::not_found;
    if (removed || (absent && !may_appear)) break;
    if (std::chrono::steady_clock::now() >= end) {
      if (!absent) spdlog::warn("remove container {}: {}", id, removed.error().message());
      break;
    }
    if (!co_await sleep_for(pause)) co_return;
  }
  for (auto& volume : volumes) {
    auto gone = co_await remove_volume(engine, std::move(volume));
    if (!gone) spdlog::warn("{}", gone.error().message());
  }
}

Task<void> remove_in_background(std::shared_ptr<EngineClient> engine, std::string id,
                                std::vector<std::string> volumes) {
  auto removed = co_await remove_container(engine, id, volumes);
  if (removed) co_return;
  spdlog::warn("remove container {}: {}; trying again", id, removed.error().message());
  asio::co_spawn(co_await asio::this_coro::executor,
                 keep_removing(std::move(engine), std::move(id), std::move(volumes), false),
                 in_background("removing a container"));
}

bool made_by(const json::object& item, std::string_view run) {
  return !run.empty() && text_in(object_in(item, "Labels"), kRunLabel) == run;
}

}  // namespace

void Container::discard() const {
  asio::co_spawn(executor, remove_in_background(engine, id, volumes),
                 in_background("removing a container"));
}

void remove_when_made(LoopExecutor executor, std::shared_ptr<EngineClient> engine, std::string name,
                      std::vector<std::string> volumes) {
  asio::co_spawn(executor,
                 keep_removing(std::move(engine), std::move(name), std::move(volumes), true),
                 in_background("removing a container that came too late"));
}

bool leaves_open(const Error& error, bool sent) {
  return sent && (error.code() == ErrorCode::timeout || error.code() == ErrorCode::unavailable);
}

Task<void> make_container(std::shared_ptr<Container> container, std::string name, std::string body,
                          std::chrono::steady_clock::duration limit) {
  auto& engine = *container->engine;
  bool sent = false;
  auto begin = std::chrono::steady_clock::now();
  const auto done = [&container, &begin](StartStep step) {
    const auto now = std::chrono::steady_clock::now();
    container->steps.push_back(StartStepTime{
        step, begin, std::chrono::duration_cast<std::chrono::microseconds>(now - begin)});
    begin = now;
  };
  auto created = co_await engine.call("POST", "/containers/create?name=" + url_encode(name),
                                      std::move(body), in(limit), &sent);
  if (!created) {
    if (leaves_open(created.error(), sent))
      remove_when_made(container->executor, container->engine, name, container->volumes);
    container->error = std::move(created.error());
  } else {
    done(StartStep::create);
    container->id = text_in(object_of(*created), "Id");
    if (!container->abandoned) {
      auto started = co_await engine.call(
          "POST", fmt::format("/containers/{}/start", container->id), std::string(), in(limit));
      // 404 here is a program or library that is not there, not an image.
      if (!started) container->error = Error(ErrorCode::sandbox_failed, started.error().message());
      done(StartStep::clone);
    }
    if (container->abandoned || container->error)
      co_await remove_in_background(container->engine, container->id, container->volumes);
  }
  container->made.set();
}

AbandonUnlessTaken::~AbandonUnlessTaken() {
  if (container_->taken) return;
  container_->abandoned = true;
  // Still being made: make_container() will see it.
  if (!container_->made.is_set() || container_->error) return;
  container_->discard();
}

namespace {

// Somebody else is removing it, or a mount in it is busy: both pass.
Task<Result<Done>> remove_at(std::shared_ptr<EngineClient> engine, std::string path) {
  auto pause = milliseconds(50);
  for (int attempt = 1;; ++attempt) {
    auto removed = co_await engine->call("DELETE", path, std::string(), in(kRemoveLimit));
    if (removed || removed.error().code() == ErrorCode::not_found) co_return Done{};
    if (attempt == kRemoveAttempts || removed.error().code() == ErrorCode::unavailable)
      co_return fail(std::move(removed.error()));
    co_await sleep_for(pause);
    pause *= 3;
  }
}

}  // namespace

Task<Result<Done>> remove_volume(std::shared_ptr<EngineClient> engine, std::string name) {
  auto removed = co_await remove_at(std::move(engine), "/volumes/" + url_encode(name));
  if (!removed) co_return fail(std::move(removed.error()), "remove volume {}", name);
  co_return Done{};
}

Task<Result<Done>> remove_container(std::shared_ptr<EngineClient> engine, std::string id,
                                    std::vector<std::string> volumes) {
  auto removed = co_await remove_at(engine, fmt::format("/containers/{}?force=1&v=1", id));
  if (!removed) co_return fail(std::move(removed.error()), "remove container {}", id);
  for (auto& volume : volumes) {
    auto gone = co_await remove_volume(engine, std::move(volume));
    if (!gone) co_return gone;
  }
  co_return Done{};
}

Task<std::optional<std::string>> last_words_of(const Container& container, SteadyTime deadline) {
  const auto path = fmt::format("/containers/{}/", container.id);
  auto answer = co_await container.engine->call("GET", path + "json", std::string(), deadline);
  if (!answer) co_return answer.error().message();
  const auto inspected = object_of(*answer);
  const auto* state = inspected.if_contains("State");
  if (state == nullptr || !state->is_object()) co_return std::nullopt;
  const auto& object = state->as_object();
  if (const auto* running = object.if_contains("Running"); running && *running == true)
    co_return std::nullopt;
  auto text = text_in(object, "Error");
  auto log = co_await container.engine->call("GET", path + "logs?stdout=1&stderr=1&tail=20",
                                             std::string(), deadline);
  if (log) text += (text.empty() ? "" : "; ") + log_text(*log);
  if (text.empty()) text = "status " + text_in(object, "Status");
  co_return text;
}

Result<std::vector<std::string>> ids_in(std::string_view answer, std::string_view but) {
  boost::system::error_code error;
  const auto value = json::parse(answer, error);
  if (error || !value.is_array())
    return fail(ErrorCode::unavailable, "Docker Engine answered with no list of containers");
  std::vector<std::string> ids;
  for (const auto& item : value.as_array()) {
    if (item.is_object() && !made_by(item.as_object(), but))
      ids.push_back(text_in(item.as_object(), "Id"));
  }
  std::erase(ids, "");
  return ids;
}

std::vector<std::string> volumes_in(std::string_view answer, std::string_view but) {
  std::vector<std::string> names;
  const auto object = object_of(answer);
  const auto* list = object.if_contains("Volumes");
  if (list == nullptr || !list->is_array()) return names;
  for (const auto& item : list->as_array()) {
    if (item.is_object() && !made_by(item.as_object(), but))
      names.push_back(text_in(item.as_object(), "Name"));
  }
  std::erase(names, "");
  return names;
}

std::vector<std::string> declared_volumes(std::string_view answer) {
  std::vector<std::string> volumes;
  const auto image = object_of(answer);
  for (const auto& [path, ignored] : object_in(object_in(image, "Config"), "Volumes"))
    volumes.emplace_back(path);
  return volumes;
}

std::string log_text(std::string_view frames) {
  constexpr std::size_t kHead = 8;
  std::string text;
  while (frames.size() >= kHead) {
    std::size_t size = 0;
    for (std::size_t i = 4; i < kHead; ++i)
      size = size << 8 | static_cast<unsigned char>(frames[i]);
    text += frames.substr(kHead, size);
    frames.remove_prefix(std::min(frames.size(), kHead + size));
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace lambda::sandbox::docker
