#include "function/configuration_json.h"

#include <gtest/gtest.h>

#include <string>

namespace lambda::function {
namespace {

TEST(ConfigurationJson, RowsFromBeforeKindAndPortWereToldToBeNamedAreRead) {
  const auto read = [](const std::string& members) {
    return configuration_from_json("{" + members + "}").value();
  };
  const std::string zip = R"("packageType":"Zip",)";
  const std::string image = R"("packageType":"Image",)";
  const auto server = read(zip + R"("kind":"http","port":3000)");
  EXPECT_EQ(server.port, 3000);
  EXPECT_TRUE(server.kind_named && server.port_named);
  const auto plain = read(zip + R"("kind":"handler")");
  EXPECT_FALSE(plain.kind_named || plain.port_named);
  const auto exposing = read(image + R"("kind":"http","port":80)");
  EXPECT_FALSE(exposing.kind_named || exposing.port_named);
  EXPECT_TRUE(read(image + R"("kind":"handler","port":80)").kind_named);
  EXPECT_TRUE(read(image + R"("kind":"http")").kind_named);
  Configuration now;
  now.kind = Kind::http;
  now.kind_named = true;
  EXPECT_EQ(configuration_from_json(to_json(now)).value(), now);
  now.port = 80;
  now.kind_named = false;
  now.port_named = true;
  EXPECT_EQ(configuration_from_json(to_json(now)).value(), now);
}

}  // namespace
}  // namespace lambda::function
