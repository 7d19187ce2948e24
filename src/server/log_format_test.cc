#include "server/log_format.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <sstream>

namespace lambda::server {
namespace {

TEST(LogFormat, IsALineAMessageWithoutControlCharacters) {
  std::ostringstream written;
  spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_st>(written));
  logger.set_formatter(log_formatter());
  logger.warn("{}", "one\n2026-01-02T03:04:05.000Z info forged\x1B[2J\xFF");
  const auto text = written.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_NE(text.find(R"( warning one\n2026-01-02T03:04:05.000Z info forged\x1B[2J\xFF)"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace lambda::server
