// Images: built and inspected by Docker Engine, and exported as plain directories for the native
// driver. Any loop; each call belongs to the loop it was made on.
#pragma once

#include "base/async.h"
#include "base/blocking.h"
#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lambda::sandbox {

struct ImageInfo {
  std::string id;  // "sha256:..."
  std::vector<std::string> entry_point;
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::string working_directory;
  std::vector<std::uint16_t>
      exposed_ports;  // ascending; from the image (base images' EXPOSE included)
  std::uint64_t size = 0;
  std::string architecture;  // "amd64"
  // While a copy of it lives the image is not forgotten: keep it until a version has the image.
  std::shared_ptr<const void> pin;
};

class ImageBuilder {
 public:
  virtual ~ImageBuilder() = default;
  // The name of the image that a deploy makes: "func-greet:3-x7k2ab". The last part tells servers
  // that share one Engine apart.
  [[nodiscard]] virtual std::string tag_for(std::string_view function,
                                            std::uint64_t number) const = 0;
  // Builds `tag` from a build context (a tar file on disk, optionally gzipped); every piece of the
  // build's own output goes to `on_output` as it comes, on the calling loop. Errors: invalid with
  // the build's last error line (a failing step, a Dockerfile that needs BuildKit: says to build it
  // elsewhere and use `lambda deploy --image`), unavailable (no daemon).
  virtual Task<Result<ImageInfo>> build(std::filesystem::path context_tar, std::string tag,
                                        std::map<std::string, std::string> labels,
                                        std::function<void(std::string_view)> on_output) = 0;
  // Errors: not_found, unavailable, invalid (made for another system or CPU).
  virtual Task<Result<ImageInfo>> inspect(std::string reference) = 0;
  // Gives an image a name of ours beside those it has, so that it stays when its owner's name moves
  // on.
  virtual Task<Result<Done>> tag(std::string image_id, std::string new_tag) = 0;
  // For an image that nothing uses any more: takes away the names that this server gave it
  // (tag_for), deletes it if this server built it and nobody else has a name for it, and its
  // exported file system. One that is gone is fine, and one that is `in_use` stays: it is asked
  // when nobody can come to use it any more, on any thread. Errors: conflict: it is just being
  // deployed, or may be (a build is under way): try again later.
  virtual Task<Result<Done>> forget(std::string image_id, std::function<bool()> in_use) = 0;
  // The image's file system as a read-only directory, exported once and kept: <data>/images/<hex
  // id>/rootfs.
  virtual Task<Result<std::filesystem::path>> export_root(std::string image_id) = 0;
  // Where an exported image lies, if it was exported; any thread, no I/O beyond a stat.
  [[nodiscard]] virtual std::optional<std::filesystem::path> exported_root(
      std::string_view image_id) const = 0;
  // Forgets every image of this server but those in `used`. At the start: a deploy that is under
  // way would lose what it made.
  virtual Task<Result<Done>> collect_garbage(std::vector<std::string> used) = 0;
};

}  // namespace lambda::sandbox
