// What Docker Engine says about images and builds, as values. Pure; any thread.
#pragma once

#include "base/result.h"
#include "sandbox/image/image_builder.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox::image {

// An answer of /images/NAME/json. Errors: unavailable (no such answer), invalid (made for another
// system or CPU than `machine`, as uname calls it).
Result<ImageInfo> image_info(std::string_view answer, std::string_view machine);

// Whose an image is: of an answer of /images/NAME/json.
struct ImageNames {
  std::vector<std::string> tags;
  std::string server;  // the label of the server that built it; "" for anybody else's
};
Result<ImageNames> image_names(std::string_view answer);
// The ids in an answer of /images/json.
Result<std::vector<std::string>> listed_images(std::string_view answer);

// The stream of a build: one JSON object a line.
class BuildOutput {
 public:
  explicit BuildOutput(std::function<void(std::string_view)> on_text)
      : on_text_(std::move(on_text)) {}
  // Errors: invalid: the build has failed, with its own words and what to do.
  Result<Done> feed(std::string_view bytes);
  // The built image, once there is one.
  [[nodiscard]] const std::string& image_id() const { return image_id_; }

 private:
  Result<Done> take_line(std::string_view line);

  std::function<void(std::string_view)> on_text_;
  std::string rest_;
  std::string image_id_;
};

// The words of a build that failed; where it asks for BuildKit, with the way around, and where its
// base image is not to be had, with those that are.
[[nodiscard]] Error build_error(std::string_view message);

}  // namespace lambda::sandbox::image
