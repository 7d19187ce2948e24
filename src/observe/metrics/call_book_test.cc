#include "observe/metrics/call_book.h"

#include "observe/metrics/call_recorder.h"
#include "observe/metrics/call_sample_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lambda::observe {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(CallBook, CountsByVersionFunctionAndServer) {
  CallBook book;
  book.add(sample_of("greet", "1"));
  book.add(sample_of("greet", "2"));
  book.add(sample_of("other", "1"));
  book.add(failed_sample("greet", "2", CallError::out_of_memory));
  const auto* greet = book.function("greet");
  ASSERT_NE(greet, nullptr);
  EXPECT_EQ(greet->versions.at("1").invocations, 1U);
  EXPECT_EQ(greet->versions.at("2").invocations, 2U);
  EXPECT_EQ(greet->versions.at("2").errors[index(CallError::out_of_memory)], 1U);
  EXPECT_EQ(greet->totals.invocations, 3U);
  EXPECT_EQ(greet->totals.duration.count(), 3U);
  EXPECT_EQ(book.server().totals.invocations, 4U);
  EXPECT_EQ(book.server().totals.error_count(), 1U);
  EXPECT_EQ(book.series(), 3U);
  EXPECT_EQ(book.function("nobody"), nullptr);
}

TEST(CallBook, CountsAThrottledCallAsNoInvocation) {
  CallBook book;
  book.add(throttled_sample("greet", "1", Throttle::reserved_concurrency));
  const auto& totals = book.function("greet")->totals;
  EXPECT_EQ(totals.invocations, 0U);
  EXPECT_EQ(totals.throttles[index(Throttle::reserved_concurrency)], 1U);
  EXPECT_EQ(totals.duration.count(), 0U);
}

TEST(CallBook, CountsAColdStartWithoutAnInitThatTheCallWaitedFor) {
  CallBook book;
  auto prepared = sample_of("greet", "1");
  prepared.cold = true;
  auto waited = prepared;
  waited.init = 80ms;
  waited.memory_peak_bytes = 7'000'000;
  book.add(prepared);
  book.add(waited);
  const auto& totals = book.function("greet")->totals;
  EXPECT_EQ(totals.cold_starts, 2U);
  EXPECT_EQ(totals.init.count(), 1U);
  EXPECT_EQ(totals.init.sum(), 80ms);
  EXPECT_EQ(totals.memory_peak_bytes, 7'000'000U);
}

TEST(CallBook, CountsAnAnswerAtAUrlAsNoCall) {
  CallBook book;
  for (const unsigned status : {200U, 502U, 200U, 0U})
    book.add(answer_sample("greet", "1", status));
  const auto& greet = *book.function("greet");
  using Cell = StatusCounts::Cell;
  EXPECT_THAT(greet.totals.answers.cells(), ElementsAre(Cell(0, 1), Cell(200, 2), Cell(502, 1)));
  EXPECT_EQ(greet.versions.at("1").answers.cells(), greet.totals.answers.cells());
  EXPECT_EQ(greet.totals.invocations, 0U);
  EXPECT_EQ(greet.totals.error_count(), 0U);
  EXPECT_EQ(greet.recent.last(60s, RecentCalls::Time{}).counts.invocations, 0U);
  CallBook again;
  for (const auto& row : book.take_changes()) ASSERT_TRUE(again.restore(row)) << row.totals;
  EXPECT_EQ(again.function("greet")->versions.at("1").answers.cells(),
            greet.totals.answers.cells());
}

TEST(CallBook, CountsStatusesBeyondTheRoomByTheirClass) {
  StatusCounts counts;
  for (std::uint16_t status = 200; status < 600; ++status) counts.add(status);
  counts.add(200);
  ASSERT_LE(counts.cells().size(), StatusCounts::kMostStatuses + 5);
  std::uint64_t all = 0;
  for (const auto& [status, count] : counts.cells()) all += count;
  EXPECT_EQ(all, 401U);
  EXPECT_EQ(counts.cells().front(), StatusCounts::Cell(2, 100 - StatusCounts::kMostStatuses));
  CallTotals totals;
  totals.answers = counts;
  const auto again = totals_from_text(to_text(totals));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->answers.cells(), counts.cells());
  EXPECT_EQ(StatusCounts::name_of(2), "2xx");
  EXPECT_EQ(StatusCounts::name_of(404), "404");
  EXPECT_EQ(StatusCounts::name_of(0), "0");
}

TEST(CallBook, CountsWhatFindsNoRoomTogether) {
  CallBook book(2);
  book.add(sample_of("a", "1"));
  book.add(sample_of("a", "2"));
  book.add(sample_of("a", "3"));
  book.add(sample_of("b", "1"));
  EXPECT_EQ(book.series(), 2U);
  EXPECT_EQ(book.other().invocations, 2U);
  EXPECT_EQ(book.function("a")->totals.invocations, 3U);
  EXPECT_EQ(book.function("b"), nullptr);
  EXPECT_EQ(book.server().totals.invocations, 4U);
  book.forget("a");
  book.add(sample_of("b", "1"));
  EXPECT_EQ(book.function("b")->totals.invocations, 1U);
}

TEST(CallBook, ForgetsWhatIsNoMore) {
  CallBook book;
  for (const char* function : {"kept", "gone", "deleted"}) {
    book.add(sample_of(function, "1"));
    book.add(sample_of(function, "2"));
  }
  book.forget("deleted");
  EXPECT_EQ(book.series(), 4U);
  const auto exists = [](const std::string& function, const std::string& version) {
    return function == "kept" && version != "1";
  };
  book.keep_only(exists, RecentCalls::Time{});
  EXPECT_EQ(book.series(), 1U);
  EXPECT_THAT(book.functions(), SizeIs(1));
  EXPECT_EQ(book.function("kept")->totals.invocations, 2U);
  EXPECT_FALSE(book.function("kept")->versions.contains("1"));
  EXPECT_EQ(book.server().totals.invocations, 6U);
}

TEST(CallBook, GoesOnFromWhatWasSaved) {
  CallBook book(3);
  auto cold = failed_sample("greet", "1", CallError::init);
  cold.cold = true;
  cold.init = 3s;
  cold.memory_peak_bytes = 42;
  book.add(cold);
  book.add(sample_of("greet", "2", 16min));
  book.add(throttled_sample("greet", "2", Throttle::wait_expired));
  book.add(sample_of("b", "1"));
  book.add(sample_of("c", "1"));
  CallBook again;
  for (const auto& row : book.take_changes()) ASSERT_TRUE(again.restore(row)) << row.totals;
  const auto& first = again.function("greet")->versions.at("1");
  EXPECT_EQ(first.invocations, 1U);
  EXPECT_EQ(first.errors[index(CallError::init)], 1U);
  EXPECT_EQ(first.cold_starts, 1U);
  EXPECT_EQ(first.init.sum(), 3s);
  EXPECT_EQ(first.memory_peak_bytes, 42U);
  const auto& second = again.function("greet")->versions.at("2");
  EXPECT_EQ(second.throttles[index(Throttle::wait_expired)], 1U);
  EXPECT_EQ(second.duration.cells(), book.function("greet")->versions.at("2").duration.cells());
  EXPECT_EQ(second.duration.sum(), 16min);
  EXPECT_EQ(again.server().totals.invocations, 4U);
  EXPECT_EQ(again.other().invocations, 1U);
  EXPECT_EQ(again.series(), 3U);
}

TEST(CallBook, SavesWhatHasChangedAndAgainWhatCouldNotBeSaved) {
  CallBook book;
  book.add(sample_of("greet", "1"));
  book.add(sample_of("greet", "2"));
  book.add(sample_of("other", "1"));
  EXPECT_THAT(book.take_changes(), SizeIs(6));  // the server, two functions, three versions
  EXPECT_THAT(book.take_changes(), IsEmpty());
  book.add(sample_of("greet", "2"));
  auto rows = book.take_changes();
  EXPECT_THAT(rows, SizeIs(3));
  book.put_back(rows);
  book.forget("other");
  EXPECT_THAT(book.take_changes(), SizeIs(3));
  book.forget("greet");
  book.put_back(rows);
  EXPECT_THAT(book.take_changes(), SizeIs(1));
}

TEST(CallBook, RestoresNothingOfWhatIsNoTotals) {
  CallBook book;
  for (const char* text : {"", "[1]", "{", "\"totals\""}) {
    const auto restored = book.restore({"greet", "", text});
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code(), ErrorCode::invalid);
  }
  ASSERT_TRUE(book.restore({"greet", "", R"({"invocations": -1, "errors": 3, "duration":
      {"sum": "x", "cells": [9999, 1, 3, 2, 4]}, "news": {}, "answers": [200, 3, "x", 1, -1, 2, 404]})"}));
  EXPECT_THAT(book.function("greet")->totals.answers.cells(), SizeIs(1));
  EXPECT_EQ(book.function("greet")->totals.invocations, 0U);
  EXPECT_EQ(book.function("greet")->totals.duration.count(), 2U);
}

TEST(CallRecorder, HandsOnInBatchesAndNamesEachVersionOnce) {
  std::vector<CallRecorder::Batch> batches;
  CallRecorder recorder(
      [&batches](CallRecorder::Batch batch) { batches.push_back(std::move(batch)); });
  for (std::size_t i = 0; i < CallRecorder::kBatch + 2; ++i)
    recorder.record("greet", i % 2 == 0 ? "1" : "2", CallSample());
  ASSERT_THAT(batches, SizeIs(1));
  EXPECT_THAT(batches[0], SizeIs(CallRecorder::kBatch));
  EXPECT_EQ(batches[0][0].series, batches[0][2].series);
  EXPECT_NE(batches[0][0].series, batches[0][1].series);
  EXPECT_EQ(batches[0][1].series->version, "2");
  recorder.flush();
  recorder.flush();
  ASSERT_THAT(batches, SizeIs(2));
  EXPECT_THAT(batches[1], SizeIs(2));
}

TEST(CallRecorder, RemembersNoMoreNamesThanItMay) {
  std::size_t count = 0;
  CallRecorder recorder([&count](const CallRecorder::Batch& batch) {
    for (const auto& sample : batch) count += std::stoul(sample.series->function);
  });
  std::size_t wanted = 0;
  for (std::size_t i = 0; i < CallRecorder::kMostNames * 2 + 5; ++i) {
    recorder.record(std::to_string(i), "1", CallSample());
    wanted += i;
  }
  recorder.flush();
  EXPECT_EQ(count, wanted);
}

}  // namespace
}  // namespace lambda::observe
