#include "sandbox/image/image_pins.h"

#include <mutex>
#include <set>
#include <utility>

namespace lambda::sandbox::image {

struct ImagePins::State {
  std::mutex mutex;
  std::multiset<std::string> pinned;
  unsigned keeping_all = 0;
  unsigned going = 0;
};

ImagePins::ImagePins() : state_(std::make_shared<State>()) {}

ImagePins::Hold ImagePins::pin(std::string image_id) {
  const std::lock_guard lock(state_->mutex);
  state_->pinned.insert(image_id);
  auto release = [state = state_, id = std::move(image_id)](const void*) {
    const std::lock_guard again(state->mutex);
    state->pinned.erase(state->pinned.find(id));
  };
  return Hold(state_.get(), std::move(release));
}

ImagePins::Hold ImagePins::keep_all() {
  const std::lock_guard lock(state_->mutex);
  if (state_->going > 0) return nullptr;
  ++state_->keeping_all;
  auto release = [state = state_](const void*) {
    const std::lock_guard again(state->mutex);
    --state->keeping_all;
  };
  return Hold(state_.get(), std::move(release));
}

ImagePins::Hold ImagePins::take_away(const std::string& image_id) {
  const std::lock_guard lock(state_->mutex);
  if (state_->keeping_all > 0 || state_->pinned.contains(image_id)) return nullptr;
  ++state_->going;
  auto release = [state = state_](const void*) {
    const std::lock_guard again(state->mutex);
    --state->going;
  };
  return Hold(state_.get(), std::move(release));
}

}  // namespace lambda::sandbox::image
