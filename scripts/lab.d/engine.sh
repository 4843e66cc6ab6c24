# shellcheck shell=bash
# The host's own Docker Engine: containerd and dockerd as two processes, as the distribution runs them.

# engine_start HOST: start what is not running; does not wait
engine_start() {
  [ -z "$(pid_named "$1" dockerd)" ] || return 0
  local args=(--log-level warn --containerd /run/containerd/containerd.sock -H unix:///run/docker.sock)
  [ "$(disk_mode)" != loop ] || args+=(--storage-driver overlay2)
  [ "$LAB_LIVE_RESTORE" != 1 ] || args+=(--live-restore)
  # shellcheck disable=SC2206 # the user's words, split on purpose
  args+=($LAB_DOCKERD_ARGS)
  enter_detached "$1" "$LAB_DIR/$1/dockerd.log" sh "$HERE/lab.d/engine-start.sh" "${args[@]}"
}

engine_answers() { curl -s -m 2 --unix-socket "$LAB_DIR/$1/docker.sock" http://docker/_ping 2>/dev/null | grep -q OK; }

engine_wait() {
  wait_until 40000 engine_answers "$1" || die "the engine of $1 does not answer: $(tail -3 "$LAB_DIR/$1/dockerd.log")"
}

engine_kill() {
  local pid
  for pid in $(pid_named "$1" dockerd); do kill -9 "$pid"; done
  wait_until 5000 engine_dead "$1" || die "dockerd of $1 does not die"
}
engine_dead() { [ -z "$(pid_named "$1" dockerd)" ]; }

# docker_on HOST ARGS...: the docker command against that host's engine only
docker_on() {
  local host=$1
  shift
  env -u DOCKER_CONTEXT -u DOCKER_HOST docker -H "unix://$LAB_DIR/$host/docker.sock" "$@"
}

# load_image ARCHIVE: into every engine at once
load_image() {
  local host jobs=() failed=0 job
  for host in $(hosts); do
    is_on "$host" || die "$host is powered off: an image can be loaded only on running nodes"
    docker_on "$host" load -q -i "$1" >&2 &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  [ $failed = 0 ] || die "the image did not load everywhere, see above"
}
