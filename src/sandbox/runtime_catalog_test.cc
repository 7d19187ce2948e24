#include "sandbox/runtime_catalog.h"

#include "base/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace lambda::sandbox {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RuntimeCatalogTest : public testing::Test {
 public:
  void add(const std::string& name, const std::string& description) const {
    fs::create_directories(directory_ / name / "rootfs");
    std::ofstream(directory_ / name / "runtime.json") << description;
  }
  void add_provided() const {
    add("provided", R"({"name":"provided","family":"provided","argv":["/bootstrap"]})");
  }
  void add_python() const {
    add("python3.11", R"({"name":"python3.11","family":"python","argv":["python3","-u","/b.py"],
        "env":{"PYTHONPATH":"/opt/python"},"docker_image":"lambda/python:3.11","more":1})");
  }

  TemporaryDirectory temporary_;
  fs::path directory_ = temporary_.path();
};

TEST_F(RuntimeCatalogTest, ReadsADescription) {
  add_python();
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog) << catalog.error().message();
  const auto runtime = catalog->find("python3.11");
  ASSERT_TRUE(runtime);
  EXPECT_EQ(runtime->family, "python");
  EXPECT_EQ(runtime->root, directory_ / "python3.11" / "rootfs");
  EXPECT_THAT(runtime->argv, ElementsAre("python3", "-u", "/b.py"));
  EXPECT_EQ(runtime->environment.at("PYTHONPATH"), "/opt/python");
  EXPECT_EQ(runtime->docker_image, "lambda/python:3.11");
}

TEST_F(RuntimeCatalogTest, OffersNothingThatIsBeingBuilt) {
  add(".python3.11.new", R"({"name":"python3.11","family":"python","argv":["python3"]})");
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  EXPECT_THAT(catalog->names(), ElementsAre());
}

TEST_F(RuntimeCatalogTest, ProvidedHasThreeNames) {
  add_provided();
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  for (const char* name : {"provided", "provided.al2", "provided.al2023"}) {
    const auto runtime = catalog->find(name);
    ASSERT_TRUE(runtime) << name;
    EXPECT_EQ(runtime->name, "provided");
  }
  EXPECT_THAT(catalog->names(), ElementsAre("provided", "provided.al2", "provided.al2023"));
}

TEST_F(RuntimeCatalogTest, KnowsWhatIsNotBuilt) {
  add_python();
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  EXPECT_THAT(catalog->missing(), ElementsAre("nodejs20.x", "nodejs22.x", "nodejs24.x", "provided",
                                              "provided.al2", "provided.al2023"));
}

TEST_F(RuntimeCatalogTest, ARuntimeThatIsNotBuiltIsNamedWithItsCommand) {
  add_provided();
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  const auto runtime = catalog->find("nodejs22.x");
  ASSERT_FALSE(runtime);
  EXPECT_EQ(runtime.error().code(), ErrorCode::unavailable);
  EXPECT_THAT(runtime.error().message(), HasSubstr("runtimes/build nodejs22.x"));
}

TEST_F(RuntimeCatalogTest, AnUnknownOneIsToldWhatThereIs) {
  add_python();
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  const auto runtime = catalog->find("cobol60");
  ASSERT_FALSE(runtime);
  EXPECT_EQ(runtime.error().code(), ErrorCode::invalid);
  EXPECT_THAT(runtime.error().message(), HasSubstr("python3.11"));
}

TEST_F(RuntimeCatalogTest, WithNothingBuiltAnUnknownOneIsToldHowToBuild) {
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  const auto runtime = catalog->find("cobol60");
  ASSERT_FALSE(runtime);
  EXPECT_THAT(runtime.error().message(), HasSubstr("runtimes/build"));
}

TEST_F(RuntimeCatalogTest, NoDirectoryNoRuntimes) {
  const auto catalog = RuntimeCatalog::load(directory_ / "nothing");
  ASSERT_TRUE(catalog);
  EXPECT_TRUE(catalog->names().empty());
}

TEST_F(RuntimeCatalogTest, AHalfBuiltOneIsNotOffered) {
  fs::create_directories(directory_ / "python3.11" / "rootfs");
  const auto catalog = RuntimeCatalog::load(directory_);
  ASSERT_TRUE(catalog);
  EXPECT_FALSE(catalog->find("python3.11"));
}

TEST_F(RuntimeCatalogTest, ADescriptionThatCannotBeReadStopsTheStart) {
  for (const char* text : {"not json", "[]", "{}", R"({"name":"x"})", R"({"argv":["x"]})", ""}) {
    add("python3.11", text);
    const auto catalog = RuntimeCatalog::load(directory_);
    ASSERT_FALSE(catalog) << text;
    EXPECT_THAT(catalog.error().message(), HasSubstr("python3.11/runtime.json"));
    EXPECT_THAT(catalog.error().message(), HasSubstr("runtimes/build"));
  }
}

}  // namespace
}  // namespace lambda::sandbox
