// What may stand where the cursor is, for the shells. Main thread; asks the server where names of
// it may stand there.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lambda::cli {

// What kind of word belongs there.
enum class WordKind {
  none,
  choice,
  files,
  folders,
  function,
  version,
  qualifier,
  alias,
  context,
  secret,
  key
};

struct WordWanted {
  WordKind kind = WordKind::none;
  std::vector<std::string> choices;  // "name", or "name\tdescription"
  std::string function;              // whose version or alias
  std::string before;                // what of the word stands before its name: "greet:"
  std::string host, context;         // as the line names them
};

// `words`: those behind `lambda`, the last of them the one that is being typed. Pure.
[[nodiscard]] WordWanted wanted_word(const CLI::App& app, const std::vector<std::string>& words);
// The hidden command `lambda __complete WORD...`: one candidate a line, ":files" or ":dirs" where
// the shell knows better. Silent and done within 300 ms whatever happens.
int complete(const CLI::App& app, const std::vector<std::string>& words);
// The script that `lambda completion SHELL` prints.
int print_completion(const std::string& shell);

}  // namespace lambda::cli
