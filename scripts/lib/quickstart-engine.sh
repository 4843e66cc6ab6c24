# shellcheck shell=bash
# quickstart's part that concerns the machine and its Docker Engine.

export DOCKER_HOST=unix:///var/run/docker.sock # this machine's own engine, whatever the user's shell points at
unset DOCKER_CONTEXT

check_machine() {
  [ "$(uname -s)" = Linux ] || die "this needs Linux: Debian 12, Ubuntu 22.04 or Raspberry Pi OS"
  [ ! -d /var/lib/coxswain/identity ] ||
    die "this machine is a Coxswain device already (/var/lib/coxswain), and quickstart would
  share its Docker Engine. Run it on another machine."
  check_memory_cgroup
}

check_memory_cgroup() {
  grep -qsw memory /sys/fs/cgroup/cgroup.controllers && return
  awk '$1 == "memory" && $4 == 1 { found = 1 } END { exit !found }' /proc/cgroups 2>/dev/null && return
  local file=/boot/firmware/cmdline.txt
  [ -e $file ] || [ ! -e /boot/cmdline.txt ] || file=/boot/cmdline.txt # Raspberry Pi OS before 12
  say "the kernel's memory cgroup is off: pods run, but their memory limits do nothing. To turn it on, add the words"
  say "    cgroup_enable=memory cgroup_memory=1"
  say "to the end of the one line in $file and reboot"
}

# check_port PORT VARIABLE OWN_PID: nobody but our own process listens there
check_port() {
  local line pid
  line=$(ss -Hltnp "sport = :$1" | head -1)
  [ -n "$line" ] || return 0
  pid=$(sed -n 's/.*pid=\([0-9]*\).*/\1/p' <<<"$line")
  [ -n "$pid" ] && [ "$pid" = "$3" ] && return
  die "port $1 is taken by $(sed -n 's/.*(("\([^"]*\)".*/\1/p' <<<"$line" | grep . || echo "somebody") (process ${pid:-unknown}).
  Stop it, or choose another port: $2=$(($1 + 1000)) scripts/quickstart"
}

install_missing() {
  ensure_packages "what quickstart uses" ss:iproute2 curl:curl tar:tar
  ensure_node
  ensure_kubectl
  # shellcheck disable=SC2046 # a word or none
  ensure_packages "runs the containers" dockerd:docker.io docker:docker.io iptables:iptables $(apparmor_tool)
  ensure_npm_packages "$REPO"
  ensure_built "$REPO"
}

engine_up() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# ensure_engine: the machine's Docker Engine answers; started here only where no systemd could
ensure_engine() {
  engine_up && return
  mkdir -p "$STATE"
  if has_systemd; then
    say "starting Docker"
    systemctl start docker || die "Docker does not start: journalctl -u docker -n 50"
  else
    say "starting Docker without systemd, which is not here"
    keep_running dockerd dockerd --log-level warn
  fi
  wait_until 40000 engine_up && return
  has_systemd || stop_running dockerd
  die "Docker does not answer. Its last words:
$(tail -n 3 "$STATE/dockerd.log" 2>/dev/null || journalctl -u docker -n 3 2>/dev/null)"
}

# ensure_image: busybox:latest, from the registry or else made from the distribution's own busybox
ensure_image() {
  local name=busybox:latest
  ! docker image inspect $name >/dev/null 2>&1 || return 0
  say "pulling $name"
  if timeout 60 docker pull -q $name >/dev/null 2>&1; then
    docker image inspect --format '{{.Id}}' $name >"$STATE/made-image"
    return
  fi
  say "no registry answers: making the image from the distribution's busybox"
  installed_dynamic_busybox >/dev/null || refresh_lists
  busybox_archive "$STATE/busybox.tar" $name=1
  docker load -q -i "$STATE/busybox.tar" >/dev/null
  docker image inspect --format '{{.Id}}' $name >"$STATE/made-image"
  rm -f "$STATE/busybox.tar"
}

pod_containers() { docker ps -q "$@" --filter label=coxswain.dev/pod-uid 2>/dev/null || true; }

stop_pods() {
  local ids
  ids=$(pod_containers)
  [ -n "$ids" ] || return 0
  say "stopping $(wc -w <<<"$ids") containers"
  # shellcheck disable=SC2086 # one id a word
  docker stop -t 3 $ids >/dev/null || true
}

# remove_pods: containers and networks of the pods, and the images that were made or pulled for them
remove_pods() {
  local ids network
  ids=$(pod_containers -a)
  # shellcheck disable=SC2086 # one id a word
  [ -z "$ids" ] || docker rm -f -v $ids >/dev/null
  docker network ls --filter label=coxswain.dev/network --format '{{.Name}}' | while read -r network; do
    docker network rm "$network" >/dev/null || say "network $network is still in use and stays"
  done
  docker image ls -q coxswain.dev/sandbox | xargs -r docker rmi >/dev/null 2>&1 || true
  [ ! -f "$STATE/made-image" ] || docker rmi "$(cat "$STATE/made-image")" >/dev/null 2>&1 || true
}
