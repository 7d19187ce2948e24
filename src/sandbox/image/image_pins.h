// ImagePins: who may not lose an image just now. A deploy knows its image long before a version
// does; until then a pin keeps the image, and the file system exported from it, from being
// forgotten.
// Threads: any. A Hold outlives the ImagePins it came from.
#pragma once

#include <memory>
#include <string>

namespace lambda::sandbox::image {

class ImagePins {
 public:
  // What it was taken for lasts until the last copy is destroyed.
  using Hold = std::shared_ptr<const void>;

  ImagePins();
  // Keeps this image. Only while a keep_all() is held, and nothing is going.
  [[nodiscard]] Hold pin(std::string image_id);
  // Keeps all images, for whoever does not know yet which one it will be. Null while one is going:
  // try again.
  [[nodiscard]] Hold keep_all();
  // For taking an image away; nobody can pin it meanwhile. Null while it is kept.
  [[nodiscard]] Hold take_away(const std::string& image_id);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lambda::sandbox::image
