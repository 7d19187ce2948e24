// What a version remembers of its image, so that a start needs no Docker. Pure.
#pragma once

#include "function/function.h"
#include "sandbox/image/image_builder.h"

#include <string>

namespace lambda::deploy {

// `uri` is what the image was called by.
[[nodiscard]] function::Code code_of_image(std::string uri, const sandbox::ImageInfo& image);

}  // namespace lambda::deploy
