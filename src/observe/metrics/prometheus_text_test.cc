#include "observe/metrics/prometheus_text.h"

#include "observe/metrics/call_sample_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

namespace lambda::observe {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

Scene scene_of(const CallBook& book) {
  Scene scene{book, {}, {}, {}, {}, {}, {}, {}};
  scene.time = WallTime(1'767'323'045'000ms);
  scene.facts.version = "0.1.0";
  scene.facts.driver = "native";
  return scene;
}

TEST(PrometheusText, HasCountersByFunctionAndVersion) {
  CallBook book;
  book.add(sample_of("greet", "7"));
  book.add(sample_of("greet", "$LATEST"));
  book.add(failed_sample("greet", "7", CallError::timeout));
  book.add(throttled_sample("greet", "7", Throttle::line_full));
  const auto text = prometheus_text(scene_of(book));
  EXPECT_THAT(text, HasSubstr("# HELP lambda_invocations_total Calls that were carried out"));
  EXPECT_THAT(text, HasSubstr("# TYPE lambda_invocations_total counter"));
  EXPECT_THAT(text, HasSubstr("lambda_invocations_total{function=\"greet\",version=\"7\"} 2\n"));
  EXPECT_THAT(text,
              HasSubstr("lambda_invocations_total{function=\"greet\",version=\"$LATEST\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("lambda_errors_total{function=\"greet\",version=\"7\",kind=\"timeout\"} 1\n"));
  EXPECT_THAT(
      text,
      HasSubstr("lambda_throttles_total{function=\"greet\",version=\"7\",reason=\"line_full\"} 1"));
  EXPECT_THAT(text, HasSubstr("lambda_server_invocations_total 3\n"));
  EXPECT_THAT(text, HasSubstr("lambda_server_errors_total{kind=\"exit\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("(other)")));
}

TEST(PrometheusText, HasTheAnswersAtUrlsByStatus) {
  CallBook book;
  for (const unsigned status : {200U, 200U, 503U, 0U})
    book.add(answer_sample("greet", "7", status));
  const auto text = prometheus_text(scene_of(book));
  const auto line = [](std::string_view code, int count) {
    return fmt::format(
        "lambda_url_responses_total{{function=\"greet\",version=\"7\",code=\"{}\"}} {}\n", code,
        count);
  };
  for (const auto& expected : {line("0", 1), line("200", 2), line("503", 1)})
    EXPECT_THAT(text, HasSubstr(expected));
}

TEST(PrometheusText, AddsBucketsUpToTheOctavesBound) {
  CallBook book;
  for (const auto duration : {90us, 110us, 130us, 160us, 190us, 210us, 1'000'000'000us})
    book.add(sample_of("greet", "1", duration));
  const auto text = prometheus_text(scene_of(book));
  const auto bucket = [](std::string_view bound, int count) {
    return fmt::format(
        "lambda_duration_seconds_bucket{{function=\"greet\",version=\"1\",le=\"{}\"}} {}\n", bound,
        count);
  };
  EXPECT_THAT(text, HasSubstr(bucket("0.0001", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("0.0002", 5)));
  EXPECT_THAT(text, HasSubstr(bucket("0.0004", 6)));
  EXPECT_THAT(text, HasSubstr(bucket("900", 6)));
  EXPECT_THAT(text, HasSubstr(bucket("+Inf", 7)));
  EXPECT_THAT(text, HasSubstr("lambda_duration_seconds_count{function=\"greet\",version=\"1\"} 7"));
  EXPECT_THAT(text, Not(HasSubstr("le=\"0.000119\"")));
}

TEST(PrometheusText, CallsWhatFoundNoRoomOther) {
  CallBook book(1);
  book.add(sample_of("a", "1"));
  book.add(sample_of("b", "1"));
  const auto text = prometheus_text(scene_of(book));
  EXPECT_THAT(text, HasSubstr("lambda_invocations_total{function=\"(other)\",version=\"\"} 1\n"));
}

TEST(PrometheusText, HasGaugesOfInstancesAndQueues) {
  CallBook book;
  auto scene = scene_of(book);
  LoopGauges loop;
  loop.instances[{"greet", "7"}] = {1, 2, 3, 4, 5, 6'000'000, 7};
  loop.in_flight["greet"] = 8;
  scene.gauges.add(loop);
  scene.gauges.add(loop);
  scene.queues["greet"] = {3, 1, 2, scene.time - 90s};
  const auto text = prometheus_text(scene);
  EXPECT_THAT(text, HasSubstr("lambda_concurrency{function=\"greet\"} 16\n"));
  EXPECT_THAT(text,
              HasSubstr("lambda_instances{function=\"greet\",version=\"7\",state=\"busy\"} 6\n"));
  EXPECT_THAT(
      text, HasSubstr("lambda_instances{function=\"greet\",version=\"7\",state=\"frozen\"} 14\n"));
  EXPECT_THAT(text, HasSubstr("lambda_waiting_calls{function=\"greet\",version=\"7\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("lambda_memory_bytes{function=\"greet\",version=\"7\"} 12000000\n"));
  EXPECT_THAT(text, HasSubstr("lambda_queue_events{function=\"greet\",state=\"dead\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("lambda_queue_oldest_age_seconds{function=\"greet\"} 90\n"));
}

TEST(PrometheusText, AddsUpTheLoopsRequests) {
  CallBook book;
  auto scene = scene_of(book);
  HttpCounts first, second;
  first.add(1, 200, 10, 100);
  second.add(1, 200, 1, 2);
  second.add(2, 502, 0, 7);
  second.add(3, 12'345, 0, 0);
  second.add(99, 200, 0, 0);
  scene.http = {&first, &second};
  const auto text = prometheus_text(scene);
  EXPECT_THAT(text, HasSubstr("lambda_http_requests_total{door=\"api\",code=\"200\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("lambda_http_requests_total{door=\"host\",code=\"502\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lambda_http_requests_total{door=\"path\",code=\"0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lambda_http_request_bytes_total{door=\"api\"} 11\n"));
  EXPECT_THAT(text, HasSubstr("lambda_http_response_bytes_total{door=\"api\"} 102\n"));
}

TEST(PrometheusText, TellsOfDeploysSchedulesAndTheProcess) {
  CallBook book;
  auto scene = scene_of(book);
  ServerCounters counters;
  counters.deployed(DeployResult::function_failed);
  counters.decided(FiringOutcome::missed, 3);
  counters.fired_late(150us);
  scene.counters = counters.values();
  scene.facts.process = usage_of_this_process();
  scene.facts.loops.push_back({"loop 0", 4, 1500us});
  scene.facts.stems["python3.11"] = {2, 5, 1};
  const auto text = prometheus_text(scene);
  EXPECT_THAT(text, HasSubstr("lambda_deploys_total{result=\"function_failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lambda_deploys_total{result=\"succeeded\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("lambda_stems{root=\"python3.11\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("lambda_stem_starts_total{root=\"python3.11\",found=\"stem\"} 5\n"));
  EXPECT_THAT(text,
              HasSubstr("lambda_stem_starts_total{root=\"python3.11\",found=\"nothing\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lambda_schedule_firings_total{outcome=\"missed\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("lambda_schedule_lateness_seconds_bucket{le=\"0.0002\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("lambda_loop_stalls_total{loop=\"loop 0\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("lambda_build_info{version=\"0.1.0\",driver=\"native\"} 1\n"));
  EXPECT_GT(scene.facts.process.resident_bytes, 1'000'000U);
  EXPECT_GT(scene.facts.process.open_files, 2U);
  EXPECT_GT(scene.facts.process.most_files, scene.facts.process.open_files);
}

}  // namespace
}  // namespace lambda::observe
