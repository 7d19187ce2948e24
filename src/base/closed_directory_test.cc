#include "base/closed_directory.h"

#include "base/temporary_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lambda {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ClosedDirectory : public testing::Test {
 public:
  ClosedDirectory() { fs::permissions(root_, fs::perms::owner_all | fs::perms::others_exec); }

  // As somebody who is not root, for whom nothing is closed.
  [[nodiscard]] std::string seen_by_nobody(const fs::path& path) const {
    const auto answer = root_ / "answer";
    std::ofstream(answer).close();
    fs::permissions(answer, fs::perms::all);
    const pid_t child = ::fork();
    if (child == 0) {
      const bool root = ::geteuid() == 0;
      if (root && (::setgroups(0, nullptr) != 0 || ::setresgid(65534, 65534, 65534) != 0 ||
                   ::setresuid(65534, 65534, 65534) != 0))
        ::_exit(1);
      std::ofstream(answer) << what_is_in_the_way(path);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    std::ifstream read(answer);
    std::string text;
    std::getline(read, text);
    return text;
  }

  const TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(ClosedDirectory, IsNamedWithWhomItIsClosedToAndWhatToDo) {
  fs::create_directories(root_ / "closed/data");
  fs::permissions(root_ / "closed", fs::perms::owner_read);
  EXPECT_THAT(seen_by_nobody(root_ / "closed/data"),
              AllOf(HasSubstr((root_ / "closed").string() + " (mode 0400) is closed to "),
                    HasSubstr("uid "), HasSubstr("chmod o+x " + (root_ / "closed").string())));
  EXPECT_EQ(seen_by_nobody(root_ / "none/data"), "");
}

TEST_F(ClosedDirectory, AFileOnTheWayIsNamed) {
  std::ofstream(root_ / "file") << "x";
  EXPECT_EQ(what_is_in_the_way(root_ / "file/data"),
            (root_ / "file").string() + " is not a directory");
  EXPECT_EQ(what_is_in_the_way(root_), "");
}

}  // namespace
}  // namespace lambda
