// ContextBody: a file as the body of a request, read on a worker thread piece by piece. One loop.
#pragma once

#include "base/blocking.h"
#include "base/unique_fd.h"
#include "http/body.h"

#include <filesystem>
#include <memory>

namespace lambda::sandbox::image {

class ContextBody final : public http::BodyReader {
 public:
  // `pool` outlives it.
  static Result<std::unique_ptr<ContextBody>> open(const std::filesystem::path& file,
                                                   BlockingPool& pool);
  Task<Result<std::string>> read_some() override;
  [[nodiscard]] std::optional<std::size_t> declared_length() const override { return length_; }

 private:
  ContextBody(UniqueFd file, std::size_t length, BlockingPool& pool);

  // Shared with a read that may still be under way when the request has ended.
  std::shared_ptr<UniqueFd> file_;
  std::size_t length_;
  BlockingPool& pool_;
};

}  // namespace lambda::sandbox::image
