#include "function/program_check.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace lambda::function {
namespace {

TEST(ProgramCheck, TellsMachines) {
  auto elf = [](char bits, char endian, std::uint8_t high, std::uint8_t low) {
    std::string head =
        "\x7F"
        "ELF";
    head += bits;
    head += endian;
    head.resize(18, '\0');
    head += static_cast<char>(low);
    head += static_cast<char>(high);
    head.resize(64, '\0');
    return head;
  };
  const auto x86 = check_program("a.so", elf(2, 1, 0, 62));
  const auto arm = check_program("a.so", elf(2, 1, 0, 183));
  EXPECT_NE(x86.has_value(), arm.has_value());
  EXPECT_FALSE(check_program("a.so", elf(1, 1, 0, 3)));
  EXPECT_FALSE(check_program("a.so", elf(1, 1, 0, 40)));
  EXPECT_FALSE(check_program("a.so", elf(2, 2, 22, 0)));
  EXPECT_TRUE(check_program("a.so", "INPUT(-lfoo)"));
  EXPECT_TRUE(check_program("bootstrap", "#!/bin/sh\nexec x"));
  EXPECT_TRUE(check_program("bootstrap", ""));
}

TEST(ProgramCheck, LooksAtBootstrapAndLibrariesOnly) {
  for (const auto* path : {"bootstrap", "a.so", "x/y.node", "lib/libz.so.1.2.3"}) {
    EXPECT_TRUE(is_program_path(path)) << path;
  }
  for (const auto* path : {"lib/bootstrap", "a.so.txt", "a.py", "prebuilds/linux-x64/a.node",
                           "m/prebuilds/darwin-x64/a.node", "so", "a.so."}) {
    EXPECT_FALSE(is_program_path(path)) << path;
  }
}

}  // namespace
}  // namespace lambda::function
