// A package on its way to the server, with a bar on standard error where that is worth one.
// One coroutine.
#pragma once

#include "cli/progress_bar.h"
#include "cli/project/archive.h"
#include "http/body.h"

namespace lambda::cli {

class Upload final : public http::BodyReader {
 public:
  // An archive without a file is an empty body.
  Upload(Archive archive, bool terminal);
  Task<Result<std::string>> read_some() override;
  [[nodiscard]] std::optional<std::size_t> declared_length() const override {
    return archive_.size;
  }
  // Ends the bar's line where it is still open.
  void end_bar() { bar_.close(); }

 private:
  Archive archive_;
  ProgressBar bar_;
};

}  // namespace lambda::cli
