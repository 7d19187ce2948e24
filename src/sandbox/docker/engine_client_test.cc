// The pure parts, and the words for a daemon that is not there; the daemon itself is spoken to by
// the contract tests (tests/contract).
#include "sandbox/docker/engine_client.h"

#include "base/loop_runner.h"
#include "base/temporary_directory.h"
#include "base/unique_fd.h"
#include "sandbox/docker/container.h"

#include <gmock/gmock.h>

#include <chrono>
#include <future>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace lambda::sandbox::docker {
namespace {

using namespace std::chrono_literals;

constexpr uid_t kNobody = 65534;

TEST(EngineClient, SpeaksTheNewestVersionThatBothKnow) {
  EXPECT_EQ(choose_api("1.41").value_or(0), 41);
  EXPECT_EQ(choose_api("1.43").value_or(0), 43);
  EXPECT_EQ(choose_api("1.44").value_or(0), 44);
  EXPECT_EQ(choose_api("1.52").value_or(0), 44);  // Engine 29: at least 1.44, at most 1.52
}

TEST(EngineClient, RefusesADaemonThatIsTooOldOrNone) {
  for (const char* version : {"1.40", "1.24", "", "abc", "2.1", "1.", "1.x"}) {
    const auto chosen = choose_api(version);
    ASSERT_FALSE(chosen) << version;
    EXPECT_EQ(chosen.error().code(), ErrorCode::unavailable) << version;
  }
  EXPECT_NE(choose_api("1.40").error().message().find("20.10"), std::string::npos);
}

TEST(EngineClient, ARefusalHasTheDaemonsWords) {
  const auto error = engine_error(404, R"({"message":"No such image: x"})");
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_EQ(error.message(), "Docker Engine: No such image: x");
  EXPECT_EQ(engine_error(409, "{}").code(), ErrorCode::conflict);
  EXPECT_EQ(engine_error(400, "{}").code(), ErrorCode::invalid);
  EXPECT_EQ(engine_error(500, "").message(), "Docker Engine: HTTP status 500");
  EXPECT_EQ(engine_error(502, "<html>").message(), "Docker Engine: <html>");
}

TEST(EngineClient, EncodesWhatStandsInAQuery) {
  EXPECT_EQ(url_encode("func-a:1"), "func-a%3A1");
  EXPECT_EQ(url_encode("{\"a b\"}"), "%7B%22a%20b%22%7D");
  EXPECT_EQ(url_encode("a-b_c.d~e"), "a-b_c.d~e");
}

Error error_of_call(const std::string& socket, std::chrono::milliseconds patience = 5s) {
  Loop loop{1};
  BlockingPool users("users", 1);
  EngineClient engine(socket, users);
  const auto answer = run_on(loop, engine.call("GET", "/info", std::string(),
                                               std::chrono::steady_clock::now() + patience));
  if (answer) return Error(ErrorCode::internal, "the call was answered");
  return answer.error();
}

TEST(EngineClient, SaysThatThereIsNoDaemon) {
  const auto error = error_of_call("/nonexistent/docker.sock");
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
  EXPECT_NE(error.message().find("/nonexistent/docker.sock"), std::string::npos);
  EXPECT_NE(error.message().find("systemctl start docker"), std::string::npos);
}

TEST(EngineClient, SaysThatNobodyListens) {
  char path[] = "/tmp/lambda-engine-XXXXXX";
  ::close(::mkstemp(path));
  const auto error = error_of_call(path);
  ::unlink(path);
  EXPECT_EQ(error.code(), ErrorCode::unavailable);
  EXPECT_NE(error.message().find("does not answer"), std::string::npos) << error.message();
}

TEST(EngineClient, SaysWhoIsSilent) {
  const TemporaryDirectory directory;
  const auto path = (directory.path() / "docker.sock").string();
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const auto error = error_of_call(path, 100ms);
  EXPECT_EQ(error.code(), ErrorCode::timeout);
  EXPECT_THAT(error.message(),
              testing::StartsWith("Docker Engine at " + path + " does not answer in time"));
}

// In processes that may not use it; on two loops at once, as the server has them.
TEST(EngineClient, NamesTheUserWhoMayNotUseTheSocket) {
  char path[] = "/tmp/lambda-engine-XXXXXX";
  ::close(::mkstemp(path));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && ::setuid(kNobody) != 0) ::_exit(2);
    if (::getuid() != kNobody) ::_exit(::chmod(path, 0) != 0 ? 2 : 0);
    std::string words[2];
    auto look = [&path](std::string& said) { said = error_of_call(path).message(); };
    std::thread beside([&look, &words] { look(words[0]); });
    look(words[1]);
    beside.join();
    for (const auto& said : words) {
      if (said.find("user nobody may not use") == std::string::npos ||
          said.find("root, group root") == std::string::npos)
        ::_exit(1);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::unlink(path);
  EXPECT_EQ(status, 0);
}

// The machine's user and group database may be on the network, and slow.
TEST(EngineClient, NoLoopWaitsForTheNamesOfUsersAndGroups) {
  char path[] = "/tmp/lambda-engine-XXXXXX";
  ::close(::mkstemp(path));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::getuid() == 0 && ::setuid(kNobody) != 0) ::_exit(2);
    if (::getuid() != kNobody && ::chmod(path, 0) != 0) ::_exit(2);
    BlockingPool users("users", 1);
    std::promise<void> answer;
    users.post([&answer] { answer.get_future().wait(); });
    Loop loop{1};
    EngineClient engine(path, users);
    const auto call = begin_on(
        loop, engine.call("GET", "/info", "", std::chrono::steady_clock::now() + 10s, nullptr));
    const auto ended = [&call] { return call->done(); };
    if (run_until(loop, ended, 1s)) ::_exit(3);
    answer.set_value();
    if (!run_until(loop, ended)) ::_exit(4);
    ::_exit(call->value->error().message().find("may not use Docker") == std::string::npos ? 5 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ::unlink(path);
  EXPECT_EQ(status, 0);
}

TEST(Container, FindsItsOwnInAList) {
  const auto ids = ids_in(R"([{"Id":"abc","Names":["/lambda-x"]},{"Id":"def"},{}])");
  ASSERT_TRUE(ids);
  EXPECT_EQ(*ids, (std::vector<std::string>{"abc", "def"}));
  const auto labelled =
      R"([{"Id":"old","Labels":{"lambda.run":"a"}},{"Id":"new","Labels":{"lambda.run":"b"}},{"Id":"none"}])";
  EXPECT_THAT(*ids_in(labelled, "b"), testing::ElementsAre("old", "none"));
  EXPECT_FALSE(ids_in("{}"));
  EXPECT_FALSE(ids_in("not json"));
}

TEST(Container, FindsTheVolumesOfAnImage) {
  EXPECT_EQ(declared_volumes(R"({"Config":{"Volumes":{"/data":{},"/var/lib/x":{}}}})"),
            (std::vector<std::string>{"/data", "/var/lib/x"}));
  EXPECT_TRUE(declared_volumes(R"({"Config":{"Volumes":null}})").empty());
  EXPECT_TRUE(declared_volumes("nonsense").empty());
}

TEST(Container, FindsItsOwnVolumes) {
  EXPECT_EQ(volumes_in(R"({"Volumes":[{"Name":"lambda-a-0"},{"Name":"b"}],"Warnings":null})"),
            (std::vector<std::string>{"lambda-a-0", "b"}));
  EXPECT_TRUE(volumes_in(R"({"Volumes":null})").empty());
}

TEST(Container, ReadsDockersLogFrames) {
  const std::string frames =
      std::string("\2\0\0\0\0\0\0\6", 8) + "hello\n" + std::string("\1\0\0\0\0\0\0\3", 8) + "two";
  EXPECT_EQ(log_text(frames), "hello\ntwo");
  EXPECT_EQ(log_text(frames.substr(0, 10)), "he");  // cut short
  EXPECT_EQ(log_text("short"), "");
}

}  // namespace
}  // namespace lambda::sandbox::docker
