# shellcheck shell=bash
# A Docker daemon for the tests. Sourced.

docker_socket=/var/run/docker.sock
docker_says_ok() { [[ $(curl -s --max-time 5 --unix-socket "$docker_socket" http://docker/_ping 2>/dev/null) == OK ]]; }

# Starts dockerd by hand where none runs: in a container or a chroot there is no init system to do it. It is left running,
# as a daemon of the system would be.
ensure_docker() {
  docker_says_ok && return
  if [[ $EUID -ne 0 ]]; then
    echo "Docker does not answer at $docker_socket: the tests of the Docker driver will fail. Start it as root: systemctl start docker" >&2
    return
  fi
  if [[ -d /run/systemd/system ]]; then systemctl start docker >/dev/null 2>&1; docker_says_ok && return; fi
  echo "Starting dockerd (its log is /var/log/dockerd.log)..." >&2
  PATH=$PATH:/usr/sbin:/sbin setsid nohup dockerd >>/var/log/dockerd.log 2>&1 </dev/null &
  local turn
  for ((turn = 0; turn < 120; ++turn)); do
    docker_says_ok && return
    sleep 0.5
  done
  echo "dockerd did not come up; the end of /var/log/dockerd.log:" >&2
  tail -n 10 /var/log/dockerd.log >&2
}
