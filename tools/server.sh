# shellcheck shell=bash
# Starting and stopping the one lambdad of ./run. Sourced; the current directory is the repository's root.

if [[ $EUID -eq 0 ]]; then data=/var/lib/lambda; else data=$HOME/.local/share/lambda; fi
data=${LAMBDA_DATA_DIR:-$data}
log=$data/lambdad.log
pid_file=$data/lambdad.pid
export LAMBDA_RUNTIMES_DIR=${LAMBDA_RUNTIMES_DIR:-/var/lib/lambda-runtimes}

# server_fact KEY: a value of what the running server says of itself; empty where it says nothing.
server_fact() {
  sed -n 's/.*"'"$1"'": *\("\([^"\\]*\(\\.[^"\\]*\)*\)"\|[0-9]\+\|true\|false\).*/\1/p' "$data/server.json" 2>/dev/null |
    sed 's/^"//; s/"$//; s/\\"/"/g; s/\\\\/\\/g; s|\\/|/|g'
}

# The moment a process began, in ticks since boot: with the number it names one process and no other.
# (The name in parentheses may hold blanks; what follows it does not.)
began_at() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

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

# Whether the program that runs is the newest build: the linker replaces the file, and the old one is then "deleted".
runs_newest_build() { [[ $(readlink "/proc/$1/exe" 2>/dev/null) == "$(readlink -f bin/lambdad)" ]]; }

# The container or machine may have no curl proxy of its own in mind for loopback.
health_answers() { [[ $(curl -s --noproxy '*' --max-time 2 "$1/_lambda/health" 2>/dev/null) == *'"ok"'* ]]; }

start_server() {
  local pid
  if pid=$(running_pid); then
    if runs_newest_build "$pid" && health_answers "$(server_fact url)"; then
      say "lambdad is running already (pid $pid)."
      return
    fi
    say "lambdad (pid $pid) runs an older build, or does not answer: restarting it."
    stop_server
  fi
  if ! mkdir -p "$data" 2>/dev/null || [[ ! -w $data ]]; then
    say "The data directory $data cannot be written. Make it writable, or choose another with LAMBDA_DATA_DIR." >&2
    exit 1
  fi
  rm -f "$data/server.json"
  : >>"$log"
  local from
  from=$(($(wc -c <"$log") + 1))
  setsid nohup bin/lambdad >>"$log" 2>&1 </dev/null &
  pid=$!
  printf '%s %s\n' "$pid" "$(began_at "$pid")" >"$pid_file"
  wait_until_it_answers "$pid" "$from"
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
  local pid turn
  if ! pid=$(running_pid); then
    say "No lambdad that ./run started is running."
    rm -f "$pid_file"
    return
  fi
  kill -TERM "$pid" || exit 1
  for ((turn = 0; turn < 600; ++turn)); do
    if ! running_pid >/dev/null; then
      rm -f "$pid_file"
      say "Stopped lambdad (pid $pid)."
      return
    fi
    [[ $turn -eq 20 ]] && say "Waiting for running calls to end..."
    sleep 0.1
  done
  say "lambdad (pid $pid) is still at work after 60 seconds; its log is $log" >&2
  exit 1
}

server_status() {
  local pid
  if pid=$(running_pid); then
    say "lambdad runs (pid $pid) at $(server_fact url), driver $(server_fact driver); its log is $log"
  else
    say "lambdad is not running. Start it with ./run"
    exit 1
  fi
}
