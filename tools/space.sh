# shellcheck shell=bash
# Room on disk, asked for before it is used: what runs full half-way says little. Sourced.

# need_space DIRECTORY MEGABYTES WHAT: fails, saying which file system lacks how much, where DIRECTORY (or what is there of its
# path) is on one with less room. Where df does not know, nothing is said.
need_space() {
  local place=$1 device free mount
  while [[ ! -e $place && $place == */* ]]; do place=${place%/*}; done
  read -r device free mount < <(df -k --output=source,avail,target "${place:-/}" 2>/dev/null | tail -n 1) || return 0
  [[ $free =~ ^[0-9]+$ ]] && ((free / 1024 < $2)) || return 0
  echo "The file system at $mount ($device) has too little room: $((free / 1024)) MB are free there, and $3 needs about $2 MB in $1. Make room and try again." >&2
  return 1
}
