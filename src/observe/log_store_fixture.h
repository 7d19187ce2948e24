// For tests of the store: one in a directory of its own, which can be opened again.
#pragma once

#include "base/temporary_directory.h"
#include "observe/log_store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace lambda::observe {

class LogStoreFixture : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    logs_.reset();
    auto opened = LogStore::open(directory_ / "logs", clock_, limits_);
    ASSERT_TRUE(opened) << opened.error().message();
    logs_ = std::move(*opened);
  }
  void append(const std::string& text, const std::string& function = "greet",
              bool platform = false) {
    LogLine line;
    line.time = clock_.now();
    line.version = "1";
    line.instance = "i";
    line.request_id = "r";
    line.text = text;
    line.platform = platform;
    logs_->source(function)->append(std::move(line));
  }
  std::vector<LogLine> lines(LogStore::Query query = {}) {
    if (query.function.empty()) query.function = "greet";
    return logs_->recent(query);
  }
  static std::vector<std::string> texts_of(const std::vector<LogLine>& lines) {
    std::vector<std::string> texts;
    for (const auto& line : lines) texts.push_back(line.text);
    return texts;
  }
  std::vector<std::string> texts() { return texts_of(lines()); }
  std::size_t files(const std::string& function = "greet") {
    std::size_t count = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory_ / "logs" / function, error), end;
         !error && entry != end; entry.increment(error))
      ++count;
    return count;
  }

  // Nothing happens by itself.
  static LogLimits patient() {
    LogLimits limits;
    limits.said_after = std::chrono::hours(1);
    return limits;
  }

  TemporaryDirectory temporary_;
  std::filesystem::path directory_ = temporary_.path();
  FakeClock clock_;
  LogLimits limits_ = patient();
  std::unique_ptr<LogStore> logs_;
};

}  // namespace lambda::observe
