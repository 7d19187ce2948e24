#include "cli/connection/event_stream.h"

#include <gtest/gtest.h>

#include <vector>

namespace lambda::cli {
namespace {

std::vector<StreamEvent> events(std::string_view bytes, std::size_t piece) {
  EventStream stream;
  std::vector<StreamEvent> all;
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    stream.take(bytes.substr(at, piece),
                [&all](const StreamEvent& event) { all.push_back(event); });
  return all;
}

TEST(EventStream, WholeEventsHoweverTheyComeInPieces) {
  const std::string_view bytes =
      ": a comment\nid: 7\ndata: {\"a\":1}\n\nevent: deleted\r\nid: 8\r\ndata: {}\r\n\r\n: "
      "here\nid: 9\n\n"
      "data: two\ndata:lines\n\n: nothing\n\ndata: not whole\n";
  for (const std::size_t piece : {1u, 3u, 1000u}) {
    const auto all = events(bytes, piece);
    ASSERT_EQ(all.size(), 4u);
    EXPECT_EQ(all[0].name, "");
    EXPECT_EQ(all[0].data, "{\"a\":1}");
    EXPECT_EQ(all[0].id, "7");
    EXPECT_EQ(all[1].name, "deleted");
    EXPECT_EQ(all[1].data, "{}");
    EXPECT_EQ(all[2].data, "");
    EXPECT_EQ(all[2].id, "9");
    EXPECT_EQ(all[3].data, "two\nlines");
    EXPECT_EQ(all[3].id, std::nullopt);
  }
}

}  // namespace
}  // namespace lambda::cli
