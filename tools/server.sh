# shellcheck shell=bash
# Starting and stopping the one lambdad of ./run. Sourced; the current directory is the repository's root.

# Where the server keeps things, and the base file systems: lambdad says it, for it knows its configuration file too.
# Before the first build, and where the configuration is wrong, the defaults.
# shellcheck disable=SC2034 # $runtimes is ./run's
find_places() {
  local settings=""
  if [[ $EUID -eq 0 ]]; then data=/var/lib/lambda; else data=$HOME/.local/share/lambda; fi
  data=${LAMBDA_DATA_DIR:-$data}
  runtimes=${LAMBDA_RUNTIMES_DIR:-/var/lib/lambda-runtimes}
  if [[ -x bin/lambdad ]] && settings=$(bin/lambdad --check 2>/dev/null); then
    data=$(setting_in "$settings" data_dir)
    runtimes=$(setting_in "$settings" runtimes_dir)
  fi
  # The data directory belongs to the user that the server becomes, who can plant links there: root writes beside it.
  local roots
  roots=$(name_of_place "$data")
  if [[ $EUID -eq 0 || (! -O $data && -e /run/lambda/$roots.pid) ]]; then
    log=/var/log/lambda/$roots.log pid_file=/run/lambda/$roots.pid turn_file=/run/lambda/$roots.lock
  else
    log=$data/lambdad.log pid_file=$data/lambdad.pid turn_file=$data/run.lock
  fi
}
# name_of_place DIR: one name for each directory.
name_of_place() {
  local real
  real=$(realpath -m -- "$1")
  if [[ $real == /var/lib/lambda ]]; then echo lambdad; return; fi
  printf '%s-%s\n' "$(basename -- "$real" | LC_ALL=C tr -c 'A-Za-z0-9.\n-' _ | head -n 1 | cut -c 1-40)" "$(printf %s "$real" | sha256sum | cut -c 1-16)"
}
# ./run as a person has to write it to mean this server: with LAMBDA_DATA_DIR where it went elsewhere without.
run_line() {
  local usual
  usual=$(unset LAMBDA_DATA_DIR; find_places; printf %s "$data")
  [[ $data == "$usual" ]] || printf 'LAMBDA_DATA_DIR=%q ' "$data"
  printf './run'
}
setting_in() { sed -n "s/^$2 = \"\(.*\)\"  # .*/\1/p" <<<"$1"; }
find_places

# Stops here where a setting is wrong; lambdad has said which and why.
check_settings() {
  bin/lambdad --check >/dev/null || exit 2
  find_places
}

# Where root writes nobody else may.
make_root_places() {
  local directory
  [[ $EUID -eq 0 ]] || return 0
  for directory in "$(dirname "$log")" "$(dirname "$pid_file")"; do
    (umask 022 && mkdir -p "$directory") || exit 1
    if [[ -L $directory || ! -O $directory || $((0$(stat -c %a "$directory") & 022)) -ne 0 ]]; then
      say "$directory must be a directory of root's that nobody else can write in: the server's log and pid are kept there." >&2
      exit 1
    fi
  done
}

# in_turn FILE FUNCTION: runs it while no other ./run does. A file that cannot be made (a tree that belongs to somebody
# else, a data directory that FUNCTION will complain about) protects nothing that could be written.
in_turn() {
  if ! { mkdir -p "$(dirname "$1")" && : >>"$1"; } 2>/dev/null; then
    "$2"
    return
  fi
  exec 9>>"$1"
  if ! flock -n 9; then
    say "Another ./run is at work; waiting for it..."
    flock 9
  fi
  "$2"
  exec 9>&-
}

# data_file NAME: what the server has written there. Root reads it with the rights of the directory's owner, who could have
# made it a link to something that only root may read, or a pipe that never ends.
data_file() {
  local owner group as=()
  if [[ $EUID -eq 0 ]]; then
    read -r owner group < <(stat -L -c '%u %g' "$data" 2>/dev/null) || return 0
    [[ $owner -eq 0 ]] || as=(setpriv "--reuid=$owner" "--regid=$group" --clear-groups)
  fi
  timeout 5 "${as[@]}" head -c 65536 -- "$data/$1" 2>/dev/null || true
}

# server_fact KEY: a value of what the running server says of itself; empty where it says nothing, or nothing that can be one.
# It is shown, and is part of commands.
server_fact() {
  local value form='.*'
  case $1 in
    url) form='http://[][A-Za-z0-9.:-]+' ;;
    domain) form='[A-Za-z0-9._-]+' ;;
    port) form='[0-9]{1,5}' ;;
    socket) form='/.*' ;;
  esac
  value=$(data_file server.json | tr -d '\000' |
    sed -n 's/.*"'"$1"'": *\("\([^"\\]*\(\\.[^"\\]*\)*\)"\|[0-9]\+\|true\|false\).*/\1/p' |
    sed 's/^"//; s/"$//; s/\\"/"/g; s/\\\\/\\/g; s|\\/|/|g' | LC_ALL=C.UTF-8 sed 's/[[:cntrl:]]//g')
  [[ $value =~ ^$form$ ]] || value=""
  printf '%s\n' "$value"
}

# The administrator's key.
server_key() { data_file admin.key | grep -m 1 -xE 'lam_[A-Z0-9]{20}_[A-Za-z0-9]{40}' || true; }

# The moment a process began, in ticks since boot: with the number it names one process and no other.
# (The name in parentheses may hold blanks; what follows it does not.) One that has ended and waits to be fetched by its
# parent, which a container's first process may never do, is none any more.
began_at() { sed -n 's/^.*) \([^ZX] .*\)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# Prints the pid of the server that ./run started, if it runs: the same process as then, and a lambdad.
running_pid() {
  local pid began
  read -r pid began _ 2>/dev/null <"$pid_file" || return 1
  [[ $pid =~ ^[0-9]+$ && -n $began && $(began_at "$pid") == "$began" ]] || return 1
  local exe
  exe=$(readlink "/proc/$pid/exe" 2>/dev/null) || exe=$(cat "/proc/$pid/comm" 2>/dev/null)
  exe=${exe% (deleted)}
  [[ ${exe##*/} == lambdad ]] || return 1
  echo "$pid"
}

# One word for the programs as they are now: the linker replaces a file, it never writes into one that runs.
build_mark() { stat -L -c '%d.%i.%Y' bin/lambdad bin/lambda-spawn bin/lambda-init 2>/dev/null | tr '\n' ','; }
runs_newest_build() {
  local mark
  read -r _ _ mark _ 2>/dev/null <"$pid_file" && [[ $mark == "$(build_mark)" ]]
}
# Whether it was asked to end, and finishes what runs: asked once more, it would end at once.
was_asked_to_end() {
  local word
  read -r _ _ _ word 2>/dev/null <"$pid_file" && [[ $word == ending ]]
}

# Whatever proxy the environment names, it is not meant for this machine itself.
health_answers() { [[ $(curl -s --noproxy '*' --max-time 2 "$1/_lambda/health" 2>/dev/null) == *'"ok"'* ]]; }

# what_is_in_the_way PATH: why it cannot be written, with what to do, as the beginning of a sentence.
what_is_in_the_way() {
  local way="" part parts
  IFS=/ read -ra parts <<<"${1#/}"
  for part in "${parts[@]}"; do
    way+=/$part
    [[ -e $way ]] || break
    if [[ ! -d $way ]]; then
      echo "$way is not a directory: move it away"
      return
    elif [[ ! -x $way ]]; then
      echo "$way (mode $(stat -c %a "$way")) is closed to that user: let it through as its owner or root (chmod o+x $(printf %q "$way"))"
      return
    fi
  done
  echo "Make it writable"
}

start_server() {
  local pid from keeper
  if pid=$(running_pid); then
    if was_asked_to_end; then
      say "lambdad (pid $pid) is ending: starting another after it."
    elif ! runs_newest_build; then
      say "lambdad (pid $pid) runs an older build: restarting it."
    elif health_answers "$(server_fact url)"; then
      say "lambdad is running already (pid $pid)."
      return
    else
      say "lambdad (pid $pid) does not answer: restarting it."
    fi
  fi
  # Before one that works is taken down, too.
  need_space "$data" 20 "the server" || exit 1
  [[ -z $pid ]] || stop_server
  if ! mkdir -p "$data" 2>/dev/null || ! open_log; then
    say "The data directory $data cannot be written by $(id -un). $(what_is_in_the_way "$data"), or choose another: LAMBDA_DATA_DIR=DIR ./run" >&2
    exit 1
  fi
  rm -f "$data/server.json" || true
  from=$(($(wc -c <"$log") + 1))
  # By exec: what a redirected function shadows, the shell keeps open: the caller's output and the lock of this turn.
  exec 8> >(exec >/dev/null 2>&1 9>&-; trap '' HUP INT TERM; keep_log)
  keeper=$!
  setsid nohup bin/lambdad >&8 2>&8 </dev/null 8>&- 9>&- &
  pid=$!
  exec 8>&-
  printf '%s %s %s\n' "$pid" "$(began_at "$pid")" "$(build_mark)" >"$pid_file"
  chmod 0644 "$pid_file"
  wait_until_it_answers "$pid" "$from"
}

# The log tells of functions and callers: it is read by root and the group lambda, or by its owner. One that has become large
# is put aside.
log_limit=$((64 << 20))
open_log() {
  if [[ $(stat -c %s "$log" 2>/dev/null || echo 0) -gt $log_limit ]]; then mv -f "$log" "$log.1"; fi
  (umask 077 && : >>"$log") 2>/dev/null || return 1
  if [[ $EUID -eq 0 ]] && chgrp lambda "$log" 2>/dev/null; then chmod 0640 "$log"; else chmod 0600 "$log"; fi
}

# keep_log: what the server says, from standard input into the log until the server has ended. It, not the server, may write
# where the log is. A full disk costs what is said meanwhile.
keep_log() {
  local before
  while true; do
    open_log || true
    before=$(stat -c %s "$log" 2>/dev/null || echo 0)
    # A message is one read or more: the size is looked at after 4096 of them at the least, and 16 MB at the most.
    dd bs=4k count=4096 of="$log" oflag=append conv=notrunc status=none || continue
    [[ $(stat -c %s "$log" 2>/dev/null || echo 0) -ne $before ]] || return 0
  done
}

wait_until_it_answers() {
  local pid=$1 from=$2 turn
  for ((turn = 0; turn < 300; ++turn)); do
    if [[ -f $data/server.json ]] && health_answers "$(server_fact url)"; then
      say "Started lambdad (pid $pid); its log is $log"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  # Its last words may be on their way yet.
  for ((turn = 0; turn < 20; ++turn)); do
    ! kill -0 "$pid" 2>/dev/null && kill -0 "$keeper" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then
    say "lambdad started (pid $pid) but has not answered for 30 seconds. The end of its log, $log:" >&2
  else
    rm -f "$pid_file"
    say "lambdad did not start. The end of its log, $log:" >&2
  fi
  tail -c "+$from" "$log" | tail -n 20 | sed 's/^/  /' >&2
  exit 1
}

# SIGTERM makes it finish what runs. It is never killed harder: what it has promised is worth the wait.
stop_server() {
  local pid turn began
  if ! pid=$(running_pid); then
    say "No lambdad that ./run started is running with the data directory $data."
    rm -f "$pid_file"
    return
  fi
  if ! was_asked_to_end; then
    began=$(began_at "$pid")
    if ! kill -TERM "$pid" 2>/dev/null; then
      say "lambdad (pid $pid) belongs to $(stat -c %U "/proc/$pid"), who alone (and root) may stop it." >&2
      exit 1
    fi
    printf '%s %s - ending\n' "$pid" "$began" >"$pid_file"
  fi
  for ((turn = 0; turn < 600; ++turn)); do
    if [[ $(running_pid) != "$pid" ]]; then
      rm -f "$pid_file"
      say "Stopped lambdad (pid $pid)."
      remove_replaced_runtimes
      return
    fi
    [[ $turn -eq 20 ]] && say "Waiting for running calls to end..."
    sleep 0.1
  done
  say "lambdad (pid $pid) is still at work after 60 seconds; its log is $log" >&2
  exit 1
}

# Where ./run has never started one there is no place for a lock, either.
stop_in_turn() {
  if [[ -e $pid_file ]]; then in_turn "$turn_file" stop_server; else stop_server; fi
}

# Base file systems that were built anew: functions may have run on in the earlier ones until now.
remove_replaced_runtimes() {
  [[ $EUID -ne 0 ]] || LAMBDA_RUNTIMES_DIR=$runtimes runtimes/build --clean || true
}

server_status() {
  local pid
  if pid=$(running_pid); then
    say "lambdad runs (pid $pid) at $(server_fact url), driver $(server_fact driver); its log is $log"
  elif [[ -f $pid_file ]]; then
    say "lambdad is not running with the data directory $data: it ended, or was killed, without ./run stop; its log is $log. Start it with $(run_line)"
    exit 1
  else
    say "lambdad is not running with the data directory $data. Start it with $(run_line)"
    exit 1
  fi
}

follow_log() {
  [[ ! -f $log || -r $log ]] || { say "The log $log is for root and the members of the group lambda." >&2; exit 1; }
  [[ -f $log ]] || { say "There is no log yet: $log. Start the server with $(run_line)" >&2; exit 1; }
  exec tail -n 200 -F "$log"
}
