#include "base/nearest_word.h"

#include <algorithm>

namespace lambda {

// Short words are near to everything: one step in three letters is a slip, more is another word.
NearestWord::NearestWord(std::string_view word)
    : word_(word), least_(std::max<std::size_t>(1, (word.size() + 1) / 3) + 1) {}

// Insertions, deletions, replacements, and two neighbours exchanged: one step each. least_ or more
// where it is that far.
std::size_t NearestWord::steps_to(std::string_view candidate) {
  const std::size_t width = candidate.size() + 1;
  before_.assign(width, 0);
  row_.resize(width);
  next_.assign(width, 0);
  for (std::size_t j = 0; j < width; ++j) row_[j] = j;
  for (std::size_t i = 1; i <= word_.size(); ++i) {
    next_[0] = i;
    std::size_t nearest = i;
    for (std::size_t j = 1; j < width; ++j) {
      const bool same = word_[i - 1] == candidate[j - 1];
      next_[j] = std::min({row_[j] + 1, next_[j - 1] + 1, row_[j - 1] + (same ? 0u : 1u)});
      if (i > 1 && j > 1 && word_[i - 1] == candidate[j - 2] && word_[i - 2] == candidate[j - 1])
        next_[j] = std::min(next_[j], before_[j - 2] + 1);
      nearest = std::min(nearest, next_[j]);
    }
    // An exchange reaches over one row, and costs a step.
    if (nearest > least_) return nearest;
    before_.swap(row_);
    row_.swap(next_);
  }
  return row_[candidate.size()];
}

void NearestWord::offer(std::string_view candidate) {
  const std::size_t longer = std::max(word_.size(), candidate.size());
  if (longer - std::min(word_.size(), candidate.size()) >= least_) return;
  const auto steps = steps_to(candidate);
  if (steps >= least_ || steps >= candidate.size()) return;
  least_ = steps;
  best_ = candidate;
}

std::string nearest_word(std::string_view word, const std::vector<std::string>& words) {
  NearestWord nearest(word);
  for (const auto& candidate : words) nearest.offer(candidate);
  return nearest.best();
}

}  // namespace lambda
