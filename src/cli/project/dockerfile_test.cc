#include "cli/project/dockerfile.h"

#include <gtest/gtest.h>

namespace lambda::cli {
namespace {

struct Exposed {
  const char* dockerfile;
  int port;  // 0: none
};
class Dockerfile : public testing::TestWithParam<Exposed> {};
TEST_P(Dockerfile, ExposesAPort) {
  EXPECT_EQ(exposed_port(GetParam().dockerfile).value_or(0), GetParam().port)
      << GetParam().dockerfile;
}
INSTANTIATE_TEST_SUITE_P(
    Exposes, Dockerfile,
    testing::Values(Exposed{"FROM a\nEXPOSE 3000", 3000}, Exposed{"from a\nexpose 3000/tcp", 3000},
                    Exposed{"FROM a\nEXPOSE 53/udp 80", 80}, Exposed{"FROM a\nEXPOSE 53/udp", 0},
                    Exposed{"FROM a\nEXPOSE 81 82\nEXPOSE 83", 81},
                    Exposed{"FROM a\nEXPOSE 3000-3005", 3000},
                    Exposed{"FROM a\nEXPOSE \\\n  # why\n  8081", 8081},
                    Exposed{"FROM a\n# EXPOSE 1\nRUN echo EXPOSE 2", 0},
                    Exposed{"FROM a\r\nEXPOSE 3000\r\n", 3000},
                    Exposed{"FROM a\nEXPOSE \"3000\"", 3000}, Exposed{"FROM a\nEXPOSE nine", 0}));
INSTANTIATE_TEST_SUITE_P(Variables, Dockerfile,
                         testing::Values(Exposed{"FROM a\nARG P=9000\nEXPOSE $P 9001", 9000},
                                         Exposed{"FROM a\nENV A=1 P=\"9000\"\nEXPOSE ${P}", 9000},
                                         Exposed{"FROM a\nENV PORT 9000\nEXPOSE $PORT/tcp", 9000},
                                         Exposed{"FROM a\nEXPOSE ${PORT:-8088}", 8088},
                                         Exposed{"FROM a\nEXPOSE $NOTHING", 0}));
INSTANTIATE_TEST_SUITE_P(
    Stages, Dockerfile,
    testing::Values(Exposed{"FROM a\nEXPOSE 1\nFROM b\nRUN x", 0},
                    Exposed{"FROM a AS build\nEXPOSE 1\nFROM b\nEXPOSE 2", 2},
                    Exposed{"FROM a AS base\nEXPOSE 3000\nFROM base AS last\nRUN x", 3000},
                    Exposed{"FROM --platform=linux/amd64 a as Base\nEXPOSE 3000\nFROM base", 3000},
                    Exposed{"FROM a AS base\nEXPOSE 1\nFROM b AS other\nFROM other", 0}));

}  // namespace
}  // namespace lambda::cli
