# shellcheck shell=bash
# Building, for ./run and ./test. Sourced; the current directory is the repository's root.

say() { printf '%s\n' "$*"; }
# shellcheck source=tools/space.sh
source tools/space.sh

# What a first build writes, in MB: with debugging information, the tests' programs are large.
build_room() { case $1 in release) echo 300 ;; asan) echo 4000 ;; *) echo 1500 ;; esac; }

# Objects are found again from another clone of the repository too.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_COMPILERCHECK=content

# build_preset PRESET [TARGET...]: configures where needed and builds; output goes to build/PRESET.log and, where it
# fails, its end to standard error.
build_preset() {
  local preset=$1 began=$SECONDS output=build/$1.log
  shift
  if [[ ! -f build/$preset/build.ninja ]]; then
    need_space "$PWD/build" "$(build_room "$preset")" "building" || return 1
    mkdir -p build
    cmake --preset "$preset" >"$output" 2>&1 || { tail -n 30 "$output" >&2; return 1; }
  fi
  # Nothing to do is the usual case, and worth no words.
  if ninja -C "build/$preset" -n "$@" 2>/dev/null | grep -q 'no work to do'; then return 0; fi
  need_space "$PWD/build" 50 "building" || return 1
  say "Building ($preset; the output is in $output)..."
  if [[ -t 1 ]]; then
    NINJA_STATUS='[%f/%t] ' ninja -C "build/$preset" "$@" 2>&1 | tee "$output" | show_progress
  else
    ninja -C "build/$preset" "$@" >"$output" 2>&1
  fi || { grep -a -E -A 12 'error|FAILED|undefined' "$output" | head -n 60 >&2; say "The build failed; $output has everything." >&2; return 1; }
  say "Built in $((SECONDS - began)) s."
}

# One line that is written over.
show_progress() {
  local line
  while IFS= read -r line; do
    [[ $line == '['* ]] && printf '\r\033[K%.100s' "$line"
  done
  printf '\r\033[K'
}

programs=(lambdad lambda lambda-spawn lambda-init)

# build_programs PRESET: builds them and links them into bin/.
build_programs() {
  if [[ ! -w . || (-d build && ! -w build) ]]; then use_programs_as_they_are; return; fi
  build_preset "$1" "${programs[@]}" || exit 1
  mkdir -p bin
  local program
  for program in "${programs[@]}"; do
    [[ $(readlink "bin/$program" 2>/dev/null) == "../build/$1/bin/$program" ]] || ln -sfn "../build/$1/bin/$program" "bin/$program"
  done
}

# For who may not write here: the tree is somebody else's.
use_programs_as_they_are() {
  local program
  for program in "${programs[@]}"; do
    [[ -x bin/$program ]] && continue
    say "$PWD belongs to $(stat -c %U .) and is not built. Let them run ./run there first, or clone the repository into a directory of your own." >&2
    exit 1
  done
  say "$PWD belongs to $(stat -c %U .): using the programs as they were built there."
}
