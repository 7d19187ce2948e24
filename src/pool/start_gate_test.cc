#include "pool/start_gate.h"

#include <gmock/gmock.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace lambda::pool {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using SteadyClock = std::chrono::steady_clock;

using Entered = Result<StartGate::Place>;

class StartGates : public testing::Test {
 public:
  struct Entry {
    std::optional<Entered> result;
    [[nodiscard]] bool is_in() const { return result && *result; }
    void leave() { result.reset(); }
  };
  static Task<void> go_in(StartGate& gate, const void* owner, SteadyTime deadline,
                          std::shared_ptr<Entry> entry) {
    entry->result.emplace(co_await gate.enter(owner, deadline));
  }
  std::shared_ptr<Entry> enter(StartGate& gate, const void* owner,
                               SteadyTime deadline = SteadyClock::now() + hours(1)) {
    auto entry = std::make_shared<Entry>();
    asio::co_spawn(loop_, go_in(gate, owner, deadline, entry), asio::detached);
    settle();
    return entry;
  }
  void settle() {
    loop_.restart();
    loop_.poll();
  }
  ~StartGates() override { loop_.abandon(); }

  Loop loop_;
  int one_ = 0;
  int other_ = 0;
};

TEST_F(StartGates, LetInAsManyAsThereAreAndTheOthersInTheirOrder) {
  StartGate gate(2);
  const auto first = enter(gate, &one_);
  const auto second = enter(gate, &one_);
  const auto third = enter(gate, &one_);
  const auto fourth = enter(gate, &one_);
  EXPECT_TRUE(first->is_in() && second->is_in());
  EXPECT_FALSE(third->result || fourth->result);
  EXPECT_EQ(gate.waiting(), 2u);
  first->leave();
  settle();
  EXPECT_TRUE(third->is_in());
  EXPECT_FALSE(fourth->result);
  second->leave();
  settle();
  EXPECT_TRUE(fourth->is_in());
}

TEST_F(StartGates, GiveNobodyMoreThanHalfWhileAnotherWaits) {
  StartGate gate(4);
  std::vector<std::shared_ptr<Entry>> many;
  for (int i = 0; i < 10; ++i) many.push_back(enter(gate, &one_));
  const auto late = enter(gate, &other_);
  EXPECT_TRUE(many[3]->is_in());
  EXPECT_FALSE(late->result);
  many[0]->leave();
  settle();
  EXPECT_TRUE(late->is_in());
  EXPECT_FALSE(many[4]->result);
  // Alone it has all of them.
  late->leave();
  settle();
  EXPECT_TRUE(many[4]->is_in());
}

TEST_F(StartGates, RefuseAtOnceWhatWouldComeTooLate) {
  StartGate gate(1);
  const auto first = enter(gate, &one_);
  std::vector<std::shared_ptr<Entry>> patient;
  for (int i = 0; i < 50; ++i) patient.push_back(enter(gate, &one_));
  const auto refused = enter(gate, &one_, SteadyClock::now() + milliseconds(400));
  ASSERT_TRUE(refused->result);
  ASSERT_FALSE(*refused->result);
  EXPECT_EQ(refused->result->error().code(), ErrorCode::overloaded);
  EXPECT_EQ(gate.waiting(), 50u);
}

TEST_F(StartGates, RefuseTheLastWhenThoseInFrontTakeLonger) {
  StartGate gate(1);
  const auto slow = enter(gate, &one_);
  const auto deadline = SteadyClock::now() + milliseconds(600);
  std::vector<std::shared_ptr<Entry>> waiting;
  for (int i = 0; i < 40; ++i) waiting.push_back(enter(gate, &one_, deadline));
  EXPECT_EQ(gate.waiting(), 40u);
  std::this_thread::sleep_for(milliseconds(400));
  slow->leave();  // one of 400 ms: an average of 32, of which 40 do not fit into what is left
  settle();
  EXPECT_TRUE(waiting[0]->is_in());
  EXPECT_FALSE(waiting[1]->result);
  ASSERT_TRUE(waiting[39]->result);
  EXPECT_FALSE(*waiting[39]->result);
}

TEST_F(StartGates, RefuseWhoseTimeIsOverAlsoInTheMiddle) {
  StartGate gate(1);
  const auto first = enter(gate, &one_);
  const auto hasty = enter(gate, &one_, SteadyClock::now() + milliseconds(60));
  const auto patient = enter(gate, &other_);
  EXPECT_FALSE(hasty->result || patient->result);
  loop_.restart();
  loop_.run_for(milliseconds(100));
  ASSERT_TRUE(hasty->result);
  EXPECT_FALSE(*hasty->result);
  EXPECT_EQ(gate.waiting(), 1u);
  EXPECT_EQ(loop_.poll(), 0u) << "somebody looks again and again";
}

TEST_F(StartGates, CountNobodyWhoTakesTooLong) {
  StartGate gate(1, milliseconds(30));
  const auto slow = enter(gate, &one_);
  const auto next = enter(gate, &other_);
  EXPECT_FALSE(next->result);
  loop_.restart();
  loop_.run_for(milliseconds(200));
  EXPECT_TRUE(next->is_in());
  slow->leave();
  const auto third = enter(gate, &one_);
  EXPECT_FALSE(third->result) << "a place that no longer counted was given back as one that did";
}

TEST_F(StartGates, ForgetThoseWhoWereTakenAway) {
  auto gate = std::make_unique<StartGate>(1);
  const auto first = enter(*gate, &one_);
  {
    Loop other;
    asio::co_spawn(other,
                   go_in(*gate, &other_, SteadyClock::now() + hours(1), std::make_shared<Entry>()),
                   asio::detached);
    other.poll();
    EXPECT_EQ(gate->waiting(), 1u);
    first->leave();  // it is given the place, and never hears of that
    other.abandon();
  }
  EXPECT_TRUE(enter(*gate, &one_)->is_in());
  const auto last = enter(*gate, &one_);
  gate.reset();
  last->leave();
}

struct Visits {
  StartGate gate{3};
  std::atomic<int> inside{0};
  std::atomic<int> too_many{0};
  std::atomic<int> done{0};

  static Task<void> visit(Visits& visits, const void* owner) {
    auto place = co_await visits.gate.enter(owner, SteadyClock::now() + hours(1));
    if (++visits.inside > 3) ++visits.too_many;
    co_await sleep_for(milliseconds(1));
    --visits.inside;
    if (place) ++visits.done;
  }
};

TEST(StartGate, WorksForSeveralLoops) {
  Visits visits;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&visits] {
      Loop loop;
      const int owner = 0;
      for (int i = 0; i < 50; ++i)
        asio::co_spawn(loop, Visits::visit(visits, &owner), asio::detached);
      loop.run_for(seconds(60));
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(visits.done, 200);
  EXPECT_EQ(visits.too_many, 0);
  EXPECT_EQ(visits.gate.waiting(), 0u);
}

}  // namespace
}  // namespace lambda::pool
