// For tests: a folder of its own with files in it, gone at the end.
#pragma once

#include "base/crypto.h"
#include "cli/project/text_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace lambda::cli {

class TestFolder : public testing::Test {
 public:
  TestFolder() : root_(std::filesystem::path(testing::TempDir()) / ("project-" + random_uuid())) {
    std::filesystem::create_directories(root_);
  }
  ~TestFolder() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }
  std::filesystem::path root_;
};

}  // namespace lambda::cli
