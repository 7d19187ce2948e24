#include "sandbox/image/image_json.h"

#include <gtest/gtest.h>

namespace lambda::sandbox::image {
namespace {

constexpr const char* kImage = R"({"Id":"sha256:abc","Size":123,"Architecture":"amd64","Os":"linux",
  "Config":{"Env":["PATH=/bin","EMPTY=","A=b=c","nonsense"],"Entrypoint":null,"Cmd":["x","y z"],
  "WorkingDir":"/srv","ExposedPorts":{"8080/tcp":{},"80/tcp":{},"53/udp":{},"x":{}}}})";

TEST(ImageInfo, IsWhatTheEngineSays) {
  const auto info = image_info(kImage, "x86_64");
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->id, "sha256:abc");
  EXPECT_EQ(info->size, 123u);
  EXPECT_TRUE(info->entry_point.empty());
  EXPECT_EQ(info->command, (std::vector<std::string>{"x", "y z"}));
  EXPECT_EQ(info->working_directory, "/srv");
  EXPECT_EQ(info->exposed_ports, (std::vector<std::uint16_t>{80, 8080}));
  EXPECT_EQ(info->environment,
            (std::map<std::string, std::string>{{"PATH", "/bin"}, {"EMPTY", ""}, {"A", "b=c"}}));
}

TEST(ImageInfo, AnImageForAnotherCpuIsRefused) {
  const auto info = image_info(kImage, "aarch64");
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code(), ErrorCode::invalid);
  EXPECT_NE(info.error().message().find("--platform=linux/arm64"), std::string::npos);
}

TEST(ImageInfo, NonsenseIsNoImage) {
  EXPECT_FALSE(image_info("[]", "x86_64"));
  EXPECT_FALSE(image_info("{}", "x86_64"));
  EXPECT_FALSE(image_info("<html>", "x86_64"));
}

TEST(ImageNames, SayWhoseItIs) {
  const auto own = image_names(
      R"({"Id":"x","RepoTags":["func-a:1-x","mine:2"],"Config":{"Labels":{"lambda.server":"me"}}})");
  ASSERT_TRUE(own);
  EXPECT_EQ(own->tags, (std::vector<std::string>{"func-a:1-x", "mine:2"}));
  EXPECT_EQ(own->server, "me");
  const auto other =
      image_names(R"({"Id":"x","RepoTags":["<none>:<none>"],"Config":{"Labels":null}})");
  ASSERT_TRUE(other);
  EXPECT_TRUE(other->tags.empty());
  EXPECT_EQ(other->server, "");
  EXPECT_FALSE(image_names("[]"));
}

TEST(ListedImages, AreIds) {
  const auto ids = listed_images(R"([{"Id":"sha256:1"},{"Id":"sha256:2"},{}])");
  ASSERT_TRUE(ids);
  EXPECT_EQ(*ids, (std::vector<std::string>{"sha256:1", "sha256:2"}));
  EXPECT_FALSE(listed_images("{}"));
}

class Build : public testing::Test {
 protected:
  std::string text_;
  BuildOutput output_{[this](std::string_view text) { text_ += text; }};
};

TEST_F(Build, OutputIsPassedOnAsItComes) {
  const std::string all =
      "{\"stream\":\"Step 1/2 : FROM x\"}\r\n{\"stream\":\"\\n\"}\r\n"
      "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"ab\"}\r\n"
      "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1},\"id\":\"ab\"}\r\n"
      "{\"aux\":{\"ID\":\"sha256:built\"}}\r\n{\"stream\":\"Successfully built\\n\"}\r\n";
  for (const char byte : all) ASSERT_TRUE(output_.feed(std::string_view(&byte, 1)));
  EXPECT_EQ(text_, "Step 1/2 : FROM x\nab: Pulling fs layer\nSuccessfully built\n");
  EXPECT_EQ(output_.image_id(), "sha256:built");
}

TEST_F(Build, AFailingStepIsAnErrorInItsOwnWords) {
  const auto fed = output_.feed(
      "{\"stream\":\"about to fail\\n\"}\r\n{\"errorDetail\":{\"code\":7,\"message\":\"The command "
      "'/bin/sh -c exit 7' returned a non-zero code: 7\"},\"error\":\"...\"}\r\n");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::invalid);
  EXPECT_EQ(fed.error().message(),
            "the build failed: The command '/bin/sh -c exit 7' returned a non-zero code: 7");
  EXPECT_EQ(text_, "about to fail\n");
}

TEST(BuildError, ABaseImageThatIsNotToBeHadIsToldThoseThatAre) {
  for (const char* message :
       {"pull access denied for lambda/pyhton, repository does not exist or may require 'docker "
        "login': denied: requested access to the resource is denied",
        "manifest for python:9 not found: manifest unknown: manifest unknown",
        "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such "
        "host"}) {
    const auto said = build_error(message).message();
    EXPECT_NE(said.find(message), std::string::npos);
    EXPECT_NE(said.find("lambda/python:3.11, lambda/node:20"), std::string::npos) << said;
  }
  EXPECT_EQ(build_error("The command '/bin/sh -c curl x' returned: no such host\n").message(),
            "the build failed: The command '/bin/sh -c curl x' returned: no such host");
}

TEST(BuildError, WhatNeedsBuildKitIsToldTheWayAround) {
  for (const char* message :
       {"the --mount option requires BuildKit. Refer to https://docs.docker.com/",
        "dockerfile parse error line 3: unknown instruction: echo", "Unknown flag: link"}) {
    const auto error = build_error(message);
    EXPECT_NE(error.message().find("lambda deploy --image"), std::string::npos) << message;
    EXPECT_NE(error.message().find(message), std::string::npos);
  }
  EXPECT_EQ(build_error("COPY failed: no such file\n").message(),
            "the build failed: COPY failed: no such file");
}

}  // namespace
}  // namespace lambda::sandbox::image
