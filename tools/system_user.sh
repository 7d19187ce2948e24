# shellcheck shell=bash
# The user that lambdad becomes when root starts it, and the group whose members may use its socket. Sourced.
ensure_system_user() {
  [[ $EUID -eq 0 ]] || return 0
  getent passwd lambda >/dev/null && return 0
  echo "Making the system user and group \"lambda\" that the server runs as." >&2
  PATH=$PATH:/usr/sbin:/sbin adduser --quiet --system --group --no-create-home lambda >/dev/null
}
