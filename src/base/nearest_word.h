// "did you mean": the word that was probably meant. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lambda {

// Looks for it among words that are offered one by one: many of them cost little each, as one that
// cannot be nearer is left early. One thread.
class NearestWord {
 public:
  explicit NearestWord(std::string_view word);
  void offer(std::string_view candidate);
  // The nearest of those that were near enough to be meant; the first of several; "" for none.
  [[nodiscard]] const std::string& best() const { return best_; }

 private:
  [[nodiscard]] std::size_t steps_to(std::string_view candidate);

  const std::string word_;
  std::size_t least_;  // so many steps are too many
  std::string best_;
  std::vector<std::size_t> before_, row_, next_;
};

// The nearest of `words` where it is near enough to be meant, else "".
[[nodiscard]] std::string nearest_word(std::string_view word,
                                       const std::vector<std::string>& words);

}  // namespace lambda
