#include "cli/project/manifest.h"

#include "cli/project/test_folder.h"

namespace lambda::cli {
namespace {

class ManifestFile : public TestFolder {
 protected:
  std::string refused(const std::string& text) const {
    write("lambda.toml", text);
    const auto read = read_manifests(root_);
    return read ? "accepted" : read.error().message();
  }
};

TEST_F(ManifestFile, MayBeMissing) {
  const auto read = read_manifests(root_);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), 1u);
  EXPECT_EQ(read->at(0).directory, root_);
}

TEST_F(ManifestFile, HoldsSettings) {
  write("lambda.toml", "\xef\xbb\xbfname = \"a\"\nmemory = 256\n[environment]\nA_B = \"1\"\n");
  const auto read = read_manifests(root_);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->at(0).memory, 256);
  EXPECT_EQ(read->at(0).environment.at("A_B"), "1");
}

TEST_F(ManifestFile, NamesSecretsWhereItHasAList) {
  write("lambda.toml", "secrets = [\"TOKEN\", \"CERT:file\"]\n");
  const std::vector<std::string> expected{"TOKEN", "CERT:file"};
  EXPECT_EQ(read_manifests(root_)->at(0).secrets, expected);
  write("lambda.toml", "secrets = []\n");
  EXPECT_EQ(read_manifests(root_)->at(0).secrets, std::vector<std::string>());
  write("lambda.toml", "memory = 256\n");
  EXPECT_FALSE(read_manifests(root_)->at(0).secrets);
  write("lambda.toml",
        "secrets = [\"COMMON\"]\n[[function]]\nname = \"one\"\nsecrets = [\"OWN\"]\n"
        "[[function]]\nname = \"two\"\n");
  const std::vector<std::string> both{"COMMON", "OWN"};
  EXPECT_EQ(read_manifests(root_)->at(0).secrets, both);
  EXPECT_EQ(read_manifests(root_)->at(1).secrets, std::vector<std::string>{"COMMON"});
  EXPECT_NE(refused("\nsecrets = \"TOKEN\"\n").find("line 2: secrets must be a list of names"),
            std::string::npos);
  EXPECT_NE(refused("secrets = [7]\n").find("secrets must be a list of names"), std::string::npos);
}

TEST_F(ManifestFile, SaysHowMuchOfTheLogIsKept) {
  write("lambda.toml", "[logs]\nsize = \"64MB\"\nage = \"30d\"\n");
  EXPECT_EQ(read_manifests(root_)->at(0).log_size, "64MB");
  EXPECT_EQ(read_manifests(root_)->at(0).log_age, "30d");
  write("lambda.toml", "[logs]\nsize = 64\nage = 3600\n");
  EXPECT_EQ(read_manifests(root_)->at(0).log_size, "64");
  EXPECT_EQ(read_manifests(root_)->at(0).log_age, "3600");
  write("lambda.toml",
        "[logs]\nsize = 64\n[[function]]\nname = \"one\"\nlogs.age = \"1d\"\n"
        "[[function]]\nname = \"two\"\n[function.logs]\nsize = 8\n");
  EXPECT_EQ(read_manifests(root_)->at(0).log_size, "64");
  EXPECT_EQ(read_manifests(root_)->at(0).log_age, "1d");
  EXPECT_EQ(read_manifests(root_)->at(1).log_size, "8");
  EXPECT_NE(refused("logs = 64\n").find("line 1: logs must be a table"), std::string::npos);
  EXPECT_NE(refused("[logs]\nsize = 1.5\n").find("line 2: size must be MB"), std::string::npos);
  EXPECT_NE(refused("[logs]\nretention = 1\n").find("unknown key \"retention\""),
            std::string::npos);
}

TEST_F(ManifestFile, NamesTheKeyAndTheLineOfANumberOutOfRange) {
  for (const auto& [line, words] :
       {std::pair("memory = 100", "memory must be a whole number of MB from 128 to 10240, not 100"),
        {"memory = 10241", "not 10241"},
        {"timeout = -5", "timeout must be a whole number of seconds from 1 to 900, not -5"},
        {"ephemeral_storage = 5",
         "ephemeral_storage must be a whole number of MB from 512 to 10240"},
        {"port = 0", "port must be a whole number from 1 to 65535, not 0"},
        {"concurrency = 5000", "concurrency must be a whole number from 1 to 1000, not 5000"},
        {"egress = 5", "egress must be \"none\""},
        {"egress = []", "egress must be \"none\""},
        {"egress = [\"10.1.0.0/16\", 7]", "egress must be \"none\""},
        {"egress = \"10.1.2.3/16\"", "write 10.1.0.0/16"},
        {"idle_time = 86401", "idle_time must be a whole number of seconds from 0 to 86400"},
        {"cpus = 0.01", "cpus must be a number from 0.05 to 64, such as 0.5, or 0 (no limit)"},
        {"cpus = \"1\"", "cpus must be a number from 0.05 to 64"},
        {"min_instances = -1", "min_instances must be a whole number from 0 to 1000, not -1"}}) {
    const auto message = refused("\n" + std::string(line) + "\n");
    EXPECT_NE(message.find((root_ / "lambda.toml").string() + " line 2: "), std::string::npos)
        << message;
    EXPECT_NE(message.find(words), std::string::npos) << message;
  }
}

TEST_F(ManifestFile, IncludesNothingFromOutsideOfItsFolder) {
  std::filesystem::create_directory_symlink("/etc", root_ / "link");
  for (const char* path : {"/etc/hostname", "..", "../x", "in/../../x", "link", "link/hostname"}) {
    const auto message = refused(fmt::format("\ninclude = [\"{}\"]\n", path));
    EXPECT_NE(message.find(fmt::format(" line 2: include names \"{}\", which ", path)),
              std::string::npos)
        << message;
  }
  for (const char* path : {"shared", "./shared/", "a/../shared", "..data", "."})
    EXPECT_EQ(refused(fmt::format("include = [\"{}\"]\n", path)), "accepted") << path;
}

TEST_F(ManifestFile, SaysWhereResultsGo) {
  write("lambda.toml",
        "retries = 1\nmax_age = 3600\non_success = \"next\"\non_failure = \"https://a.org/\"\n");
  const auto read = read_manifests(root_);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->at(0).retries, 1);
  EXPECT_EQ(read->at(0).max_age, "3600");
  EXPECT_EQ(read->at(0).on_success, "next");
  EXPECT_EQ(read->at(0).on_failure, "https://a.org/");
  write("lambda.toml", "max_age = \"1h\"\n");
  EXPECT_EQ(read_manifests(root_)->at(0).max_age, "1h");
  EXPECT_NE(refused("\nmax_age = 1.5\n").find("line 2: max_age must be seconds"),
            std::string::npos);
}

TEST_F(ManifestFile, NamesTheLineOfAnUnknownKey) {
  const auto message = refused("name = \"a\"\nmemroy = 256\n");
  EXPECT_NE(message.find("line 2"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean \"memory\"?"), std::string::npos) << message;
  const auto far = refused("[[schedule]]\ncron = \"@daily\"\nzone = \"UTC\"\n");
  EXPECT_NE(far.find("line 3: unknown key \"zone\" (there are name, cron, timezone, "),
            std::string::npos)
      << far;
  for (const auto& [text, meant] : {std::pair("[[schedule]]\ntz = \"UTC\"\n", "timezone"),
                                    {"env = { A = \"1\" }\n", "environment"},
                                    {"mem = 256\n", "memory"},
                                    {"desc = \"x\"\n", "description"},
                                    {"time_out = 3\n", "timeout"}}) {
    EXPECT_NE(refused(text).find(fmt::format("(did you mean \"{}\"?)", meant)), std::string::npos)
        << refused(text);
  }
  EXPECT_NE(refused("on = \"x\"\n").find("(there are name, "), std::string::npos);
  EXPECT_NE(refused("[[function]]\nname = \"a\"\nhandle = \"x\"\n").find("line 3"),
            std::string::npos);
}

TEST_F(ManifestFile, NamesTheLineOfAWrongValue) {
  for (const auto& [text, said] :
       {std::pair("timeout = \"30s\"\n",
                  "line 1: timeout must be a whole number of seconds without "
                  "quotes, such as timeout = 30"),
        {"memory = \"256MB\"\n", "memory must be a whole number of MB without quotes"},
        {"timeout = 1.5\n", "timeout must be a whole number of seconds"},
        {"port = \"8080\"\n", "port must be a whole number without quotes, such as port = 8080"}})
    EXPECT_NE(refused(text).find(said), std::string::npos) << refused(text);
  EXPECT_NE(refused("\nname = 1\n").find("line 2"), std::string::npos);
  EXPECT_NE(refused("name = \n").find("line 1"), std::string::npos);
  EXPECT_NE(refused("[environment]\nA = 1\n").find("line 2"), std::string::npos);
}

TEST_F(ManifestFile, DeclaresSeveral) {
  write("lambda.toml",
        "include = [\"shared\"]\nmemory = 256\n[environment]\nA = \"1\"\nB = \"1\"\n"
        "[[function]]\nname = \"a\"\npath = \"x\"\ninclude = [\"more\"]\nenvironment = { B = \"2\" "
        "}\n"
        "[[function]]\nname = \"b\"\nmemory = 512\n");
  const auto read = read_manifests(root_);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->at(0).directory, root_ / "x");
  EXPECT_EQ(read->at(0).include.size(), 2u);
  EXPECT_EQ(read->at(0).memory, 256);
  EXPECT_EQ(read->at(0).environment.at("A"), "1");
  EXPECT_EQ(read->at(0).environment.at("B"), "2");
  EXPECT_EQ(read->at(1).include.size(), 1u);
  EXPECT_EQ(read->at(1).memory, 512);
}

TEST_F(ManifestFile, WantsNamesOnceEach) {
  EXPECT_NE(refused("[[function]]\nname = \"a\"\n[[function]]\nname = \"a\"\n").find("line 3"),
            std::string::npos);
  EXPECT_NE(refused("[[function]]\nmemory = 128\n").find("needs a name"), std::string::npos);
  EXPECT_NE(refused("name = \"a\"\n[[function]]\nname = \"b\"\n").find("[[function]]"),
            std::string::npos);
  EXPECT_NE(refused("function = 1\n").find("[[function]]"), std::string::npos);
}

}  // namespace
}  // namespace lambda::cli
