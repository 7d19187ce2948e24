// DockerImageBuilder: the ImageBuilder, over Docker Engine. Built images and containers made for an
// export carry the server's label; exported file systems lie in <data>/images/<hex>/rootfs, which
// appears whole or not at all.
// Threads: any loop; unpacking and reading contexts have threads of their own.
#pragma once

#include "base/blocking.h"
#include "sandbox/docker/engine_client.h"
#include "sandbox/docker/server_mark.h"
#include "sandbox/image/image_builder.h"
#include "sandbox/image/image_pins.h"

#include <memory>

namespace lambda::sandbox::image {

class DockerImageBuilder final : public ImageBuilder {
 public:
  // Blocking: makes <data>/images, 0700, and clears what a crash left half-unpacked.
  static Result<std::unique_ptr<DockerImageBuilder>> create(
      std::shared_ptr<docker::EngineClient> engine, const docker::ServerMark& mark,
      const std::filesystem::path& data_directory);

  [[nodiscard]] std::string tag_for(std::string_view function, std::uint64_t number) const override;
  Task<Result<ImageInfo>> build(std::filesystem::path context_tar, std::string tag,
                                std::map<std::string, std::string> labels,
                                std::function<void(std::string_view)> on_output) override;
  Task<Result<ImageInfo>> inspect(std::string reference) override;
  Task<Result<Done>> tag(std::string image_id, std::string new_tag) override;
  Task<Result<Done>> forget(std::string image_id, std::function<bool()> in_use) override;
  Task<Result<std::filesystem::path>> export_root(std::string image_id) override;
  [[nodiscard]] std::optional<std::filesystem::path> exported_root(
      std::string_view image_id) const override;
  Task<Result<Done>> collect_garbage(std::vector<std::string> used) override;

 private:
  DockerImageBuilder(std::shared_ptr<docker::EngineClient> engine, docker::ServerMark mark,
                     std::filesystem::path images);
  [[nodiscard]] std::filesystem::path directory_of(std::string_view image_id) const;
  [[nodiscard]] bool named_here(std::string_view tag) const;
  Task<Result<ImagePins::Hold>> keep_all();
  Task<Result<Done>> remove_image(std::string image_id);
  Task<Result<Done>> remove(std::string reference);
  Result<Done> remove_exported(std::string_view image_id);
  void delete_later(std::filesystem::path directory);
  Task<Result<std::vector<std::string>>> list(std::string filters);
  Task<Result<std::string>> create_container(std::string image_id);
  // What was unpacked goes again when it fails.
  Task<Result<Done>> export_into(std::string container, std::filesystem::path partial);

  std::shared_ptr<docker::EngineClient> engine_;
  docker::ServerMark mark_;
  std::filesystem::path images_;
  ImagePins pins_;
  BlockingPool unpacking_{"images", 2};
  BlockingPool deleting_{"images-gone", 1};
};

}  // namespace lambda::sandbox::image
