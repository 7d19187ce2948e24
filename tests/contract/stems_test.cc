// How many stems wait, and when they are made: with a real lambda-spawn, as root.
#include "sandbox/native/stems.h"

#include "base/async.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

namespace lambda::sandbox::native {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

class StemsAtWork : public testing::Test {
 public:
  void SetUp() override {
    char pattern[] = "/tmp/lambda-stems-XXXXXX";
    directory_ = ::mkdtemp(pattern);
    SpawnOptions options;
    options.program_directory = LAMBDA_PROGRAMS;
    options.data_directory = directory_;
    const char* runtimes = std::getenv("LAMBDA_RUNTIMES_DIR");
    options.runtimes_directory = runtimes != nullptr ? runtimes : "/var/lib/lambda-runtimes";
    spawn_ = SpawnClient::launch(options);
    kind_.root = "python3.11";  // init alone
  }
  void TearDown() override {
    stems_->close();
    keeper_.join();
    stems_.reset();
    spawn_.reset();
    fs::remove_all(directory_);
  }

 protected:
  Stems& with(milliseconds rest) {
    StemLimits limits;
    limits.least = 4;
    limits.most = 4;
    limits.rest = rest;
    stems_ = std::make_unique<Stems>(*spawn_, limits);
    asio::co_spawn(loop_, stems_->keep(), asio::detached);
    keeper_ = std::thread([this] { loop_.run(); });
    stems_->expect(kind_);
    return *stems_;
  }
  // How long it took until so many waited.
  milliseconds until_waiting(std::size_t count) {
    const auto begin = std::chrono::steady_clock::now();
    while (stems_->waiting() != count && std::chrono::steady_clock::now() - begin < seconds(20))
      std::this_thread::sleep_for(milliseconds(1));
    EXPECT_EQ(stems_->waiting(), count);
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
  }
  // Takes one, and has it stopped.
  void take_one() {
    const auto stem = stems_->take(kind_);
    ASSERT_TRUE(stem);
    weight_ = cpu_weight(stem->memory_cgroup);
    SpawnRequest request;
    request.operation = Operation::stop;
    std::memcpy(request.id, stem->id.data(), stem->id.size());
    spawn_->post(request);
  }

  // Of the sandbox whose memory cgroup this is.
  static std::string cpu_weight(std::string cgroup) {
    if (const auto at = cgroup.find("/memory/"); at != std::string::npos)
      cgroup.replace(at, 8, "/cpu/");
    std::string weight;
    for (const char* file : {"/cpu.weight", "/cpu.shares"}) std::ifstream(cgroup + file) >> weight;
    return weight;
  }

  StemKind kind_;
  std::string weight_;

 private:
  fs::path directory_;
  std::unique_ptr<SpawnClient> spawn_;
  std::unique_ptr<Stems> stems_;
  Loop loop_{1};
  std::thread keeper_;
};

TEST_F(StemsAtWork, NoneIsMadeRightAfterOneWasTaken) {
  auto& stems = with(milliseconds(600));
  until_waiting(4);
  const auto taken = std::chrono::steady_clock::now();
  take_one();
  EXPECT_EQ(stems.waiting(), 3u);
  until_waiting(4);
  EXPECT_GE(std::chrono::steady_clock::now() - taken, milliseconds(600));
}

TEST_F(StemsAtWork, AStemThatWaitsHasTheLeastWeight) {
  with(seconds(1));
  until_waiting(4);
  take_one();
  EXPECT_TRUE(weight_ == "1" || weight_ == "2") << weight_;  // of v2, v1
}

TEST_F(StemsAtWork, WhereLessThanHalfAreLeftTheyAreMadeAtOnce) {
  with(seconds(15));
  until_waiting(4);
  for (int i = 0; i < 3; ++i) take_one();
  EXPECT_LT(until_waiting(2), seconds(10));
}

}  // namespace
}  // namespace lambda::sandbox::native
