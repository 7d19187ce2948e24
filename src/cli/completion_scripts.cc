// lambda completion: a script a shell. All of them ask `lambda __complete`, which knows the
// commands of the program that is installed.
#include "cli/completion.h"
#include "cli/exit_code.h"

#include <cstdio>

namespace lambda::cli {
namespace {

constexpr const char* kBash =
    R"script(# bash completion for lambda. Use it with: source <(lambda completion bash)
_lambda() {
  local current=${COMP_WORDS[COMP_CWORD]} line word before rest=${COMP_LINE#"${COMP_WORDS[0]}"} i typed=""
  local -a words=() found=()
  # bash takes greet:live apart: what no blank stands before is put together again.
  for ((i = 1; i <= COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]} before=${COMP_WORDS[i-1]}
    if [[ i -gt 1 && $rest != [[:blank:]]* && ($word == :* || $before == *:) ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    rest=${rest#"${rest%%[![:blank:]]*}"}
    rest=${rest#"$word"}
  done
  while IFS= read -r line; do found+=("$line"); done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
  # It replaces what stands behind the last colon alone.
  word=${words[-1]}
  [[ $COMP_WORDBREAKS != *:* || $word == --*=* ]] || typed=${word%"${word##*:}"}
  COMPREPLY=()
  case ${found[0]-} in
    :files) compopt -o filenames; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current"); return ;;
    :dirs) compopt -o filenames; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "$current"); return ;;
  esac
  for line in ${found[@]+"${found[@]}"}; do line=${line%%$'\t'*} && COMPREPLY+=("${line#"$typed"}"); done
}
complete -F _lambda lambda
)script";

constexpr const char* kZsh = R"script(#compdef lambda
# zsh completion for lambda. Use it with: source <(lambda completion zsh)
_lambda() {
  local line
  local -a found described
  found=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  case ${found[1]} in
    :files) _files; return ;;
    :dirs) _files -/; return ;;
  esac
  for line in "${found[@]}"; do
    [[ -n $line ]] || continue
    local name=${line%%$'\t'*} about=""
    [[ $line == *$'\t'* ]] && about=${line#*$'\t'}
    described+=("${name//:/\\:}:$about")
  done
  (( ${#described} )) && _describe lambda described
}
if [[ ${funcstack[1]-} == _lambda ]]; then _lambda "$@"; else compdef _lambda lambda; fi
)script";

constexpr const char* kFish =
    R"script(# fish completion for lambda. Use it with: lambda completion fish | source
function __lambda_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l found ($words[1] __complete $words[2..-1] "$last" 2>/dev/null)
    switch "$found[1]"
        case :files
            __fish_complete_path "$last"
        case :dirs
            __fish_complete_directories "$last"
        case '*'
            printf '%s\n' $found
    end
end
complete -c lambda -f -a '(__lambda_complete)'
)script";

}  // namespace

int print_completion(const std::string& shell) {
  std::fputs(shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish, stdout);
  return kDone;
}

}  // namespace lambda::cli
