# shellcheck shell=bash
# The manual pages and the completion of the command line, where man, bash, zsh and fish look for them by themselves: root's
# for everybody, else those of the person. Sourced; the current directory is the repository's root.

# help_places: sets $help_share, below which they lie, and $help_fish. LAMBDA_HELP_DIR=DIR puts them elsewhere, =none nowhere.
help_places() {
  local share=${XDG_DATA_HOME:-${HOME:-}/.local/share}
  [[ $EUID -ne 0 ]] || share=/usr/local/share
  help_share=${LAMBDA_HELP_DIR:-$share}
  help_fish=$help_share/fish/vendor_completions.d
  # That of /usr/local is looked into where XDG_DATA_DIRS is set alone.
  [[ $help_share != /usr/local/share ]] || help_fish=/etc/fish/completions
  # What was put there, one file a line: these are ours, and no others.
  help_list=$help_share/lambda/installed
}

# make_help DIR: all of it as it lies below $help_share, with fish's in DIR/fish.
make_help() {
  mkdir -p "$1/man/man1" "$1/bash-completion/completions" "$1/zsh/site-functions" "$1/fish" &&
    bin/lambda man --to "$1/man/man1" >/dev/null &&
    bin/lambda completion bash >"$1/bash-completion/completions/lambda" &&
    bin/lambda completion zsh >"$1/zsh/site-functions/_lambda" &&
    bin/lambda completion fish >"$1/fish/lambda.fish"
}

is_ours() { grep -qxF -- "$1" "$help_list" 2>/dev/null; }

# install_shell_help: what has changed since the last time. A place that cannot be written costs a line, and nothing else.
install_shell_help() {
  local help_share help_fish help_list made
  help_places
  [[ $help_share != none ]] || return 0
  made=$(mktemp -d) || return 0
  if ! make_help "$made" || ! put_help "$made"; then
    say "The manual pages and the completion could not be put into $help_share (see above). Going on without."
  fi
  rm -rf "$made"
}

put_help() {
  local file target list=$1/list
  # Not $(...): a failure in it is to be seen.
  (cd "$1" && find . -type f ! -name list -printf '%P\n' | LC_ALL=C sort) >"$1/names" && rm -f "$list" || return 1
  while IFS= read -r file; do
    [[ $file != names ]] || continue
    target=$help_share/$file
    [[ $file != fish/* ]] || target=$help_fish/${file##*/}
    if ! cmp -s -- "$1/$file" "$target"; then
      if [[ -e $target ]] && ! is_ours "$target"; then
        say "$target is somebody else's: it was left as it is."
        continue
      fi
      put_file "$1/$file" "$target" || return 1
    fi
    echo "$target" >>"$list"
  done <"$1/names"
  forget_help "$list" || return 1
  cmp -s -- "$list" "$help_list" || put_file "$list" "$help_list"
}

# put_file FROM TO: whole, or as it was; another ./run may be at it.
put_file() {
  (umask 022 && mkdir -p "$(dirname "$2")") && install -m 0644 -- "$1" "$2.$$" && mv -f -- "$2.$$" "$2"
}

# forget_help LIST: takes away what was put there and is not in LIST: commands that are gone.
forget_help() {
  local file
  [[ -f $help_list ]] || return 0
  while IFS= read -r file; do
    [[ $file == /* ]] || continue
    grep -qxF -- "$file" "$1" || rm -f -- "$file" || return 1
  done <"$help_list"
}

# remove_shell_help: everything that install_shell_help has put there.
remove_shell_help() {
  local help_share help_fish help_list
  help_places
  if [[ ! -f $help_list ]]; then
    say "There are no manual pages and no completion of ./run's in $help_share."
    return
  fi
  forget_help /dev/null && rm -f -- "$help_list" || return 1
  rmdir -- "$(dirname "$help_list")" 2>/dev/null || true
  say "Removed the manual pages and the completion from $help_share."
}
