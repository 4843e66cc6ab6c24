# shellcheck shell=bash
# The lab as a whole: up, down, status.

lab_up() {
  local workers=3 host jobs=() job failed=0 began_ms
  while [ $# -gt 0 ]; do
    case $1 in
      --workers) workers=${2:-} && shift 2 ;;
      --workers=*) workers=${1#*=} && shift ;;
      *) die "up [--workers N]" ;;
    esac
  done
  [[ $workers =~ ^[0-9]+$ && $workers -ge 1 && $workers -le 200 ]] || die "--workers takes a number from 1 to 200"
  began_ms=$(now_ms)
  need_tools
  mkdir -p "$LAB_DIR"
  exec 9>"$LAB_CACHE/$LAB_NAME.lock" # one `up` or `down` of a lab at a time; nothing that stays inherits it
  flock 9
  save_settings
  seed
  switch_up
  disk_mode >/dev/null
  proc_view_start
  if [ "$LAB_NO_COXSWAIN" != 1 ]; then
    ensure_built "$REPO"
    hub_start
  fi
  for ((n = 1; n <= workers; n++)); do mkdir -p "$LAB_DIR/worker-$n"; done
  say "booting $(hosts | wc -l) hosts, each with its own engine"
  for host in $(hosts); do
    host_bring_up "$host" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  [ $failed = 0 ] || die "not every host came up, see above. Its logs are in $LAB_DIR; scripts/lab down clears all of it"
  [ "$LAB_NO_COXSWAIN" = 1 ] || wait_for_nodes
  say "lab '$LAB_NAME' is up after $((($(now_ms) - began_ms) / 100))00 ms: $(hosts | tr '\n' ' ')on $(subnet).0/24"
  [ "$LAB_NO_COXSWAIN" = 1 ] || echo "KUBECONFIG=$LAB_DIR/kubeconfig"
}

need_tools() {
  local tool missing=''
  for tool in ip:iproute2 nsenter:util-linux nft:nftables iptables:iptables mkfs.ext4:e2fsprogs dockerd:docker.io \
    containerd:containerd docker:docker.io perl:perl curl:curl pgrep:procps busybox:busybox $(apparmor_tool); do
    command -v "${tool%%:*}" >/dev/null || missing+=" ${tool#*:}"
  done
  [ -z "$missing" ] || die "missing here: apt-get install$missing"
  [ "$LAB_NO_COXSWAIN" = 1 ] || command -v kubectl >/dev/null || die "no kubectl here: apt-get install kubernetes-client"
  is_v2 || [ -n "$(hierarchies)" ] || die "no cgroups are mounted at $CGROOT: the lab needs a machine or a privileged container"
}

# host_start HOST: boot it; its engine and its agent start side by side, as on a board. Returns when the engine answers.
host_start() {
  host_boot "$1"
  agent_start "$1"
  engine_start "$1"
  engine_wait "$1"
}

# host_bring_up HOST: everything `up` promises of a host
host_bring_up() {
  plug "$1"
  host_boot "$1"
  agent_start "$1" # when it has joined before
  engine_start "$1"
  if [ "$LAB_NO_COXSWAIN" != 1 ]; then
    hub_wait
    agent_join "$1"
    agent_start "$1"
  fi
  engine_wait "$1"
  [ -e "$LAB_DIR/$1/images" ] || docker_on "$1" load -q -i "$(seed_images)" >/dev/null
  : >"$LAB_DIR/$1/images"
}

wait_for_nodes() {
  local deadline_ms=$(($(now_ms) + 60000)) ready want told=''
  want=$(hosts | wc -l)
  while :; do
    ready=$(kubectl --kubeconfig "$LAB_DIR/kubeconfig" get nodes --no-headers 2>/dev/null | awk '$2 ~ /^Ready/' | wc -l)
    [ "$ready" -lt "$want" ] || return 0
    [ "$ready" = "$told" ] || say "$ready of $want nodes Ready"
    told=$ready
    [ "$(now_ms)" -lt $deadline_ms ] || break
    sleep 0.05
  done
  kubectl --kubeconfig "$LAB_DIR/kubeconfig" get nodes >&2 || true
  die "not all nodes are Ready after 60 s. Look at: scripts/lab logs hub, scripts/lab logs worker-1"
}

# every host there is a trace of, also when the lab's folder was deleted under it
hosts_with_traces() {
  {
    hosts
    find /run/netns -maxdepth 1 -name "$PREFIX.worker-*" -printf '%f\n' 2>/dev/null | sed "s/^$PREFIX\.//"
    find "$CGROOT" -maxdepth 3 -type d -path "*/$PREFIX/worker-*" -printf '%f\n' 2>/dev/null
  } | sort -u
}

lab_down() {
  local host jobs=()
  mkdir -p "$LAB_CACHE"
  exec 9>"$LAB_CACHE/$LAB_NAME.lock"
  flock 9
  hub_signal KILL
  hub_sweep
  for host in $(hosts_with_traces); do
    power_off "$host" &
    jobs+=($!)
  done
  [ ${#jobs[@]} = 0 ] || wait "${jobs[@]}"
  proc_view_stop
  cg_clean
  switch_down
  # by name, never the folder as such: LAB_DIR may be one that holds other things
  rm -rf "$LAB_DIR"/worker-* "$HUB_DIR" "$LAB_DIR"/{settings,subnet,disk-mode,kubeconfig,proc-view.pid,proc-view.log}
  rmdir "$LAB_DIR" 2>/dev/null || true
  rm -f "$LAB_CACHE/$LAB_NAME.lock"
  say "lab '$LAB_NAME' is gone"
}

lab_status() {
  local host state
  [ -f "$LAB_DIR/subnet" ] || die "lab '$LAB_NAME' is not up"
  printf '%-10s %-5s %-16s %-11s %-8s %-8s %s\n' NAME POWER ADDRESS LINK DOCKERD AGENT LOAD
  [ "$LAB_NO_COXSWAIN" = 1 ] ||
    printf '%-10s %-5s %-16s %-11s %s\n' hub "$([ -n "$(hub_pid)" ] && echo on || echo off)" "$(address_of hub)" "$(link_word hub)" -
  for host in $(hosts); do
    state=off
    ! is_on "$host" || state=on
    printf '%-10s %-5s %-16s %-11s %-8s %-8s %s\n' "$host" $state "$(address_of "$host")" "$(link_word "$host")" \
      "$(pid_named "$host" dockerd | head -1 | grep . || echo -)" "$(agent_pid "$host" | grep . || echo -)" \
      "$(cut -d' ' -f1 "/proc/$(init_pid "$host")/root/run/lab/proc/loadavg" 2>/dev/null || echo -)"
  done
  [ "$LAB_NO_COXSWAIN" = 1 ] || echo "KUBECONFIG=$LAB_DIR/kubeconfig"
}

lab_logs() {
  local file
  if [ "${1:-}" = hub ]; then
    file=$HUB_DIR/log
    shift
  else
    need_host "${1:-}"
    local host=$1 what=agent
    shift
    case ${1:-} in agent | dockerd | init | load) what=$1 && shift ;; esac
    file=$LAB_DIR/$host/$what.log
  fi
  [ -f "$file" ] || die "no log yet: $file"
  if [ "${1:-}" = -f ]; then exec tail -n 50 -F "$file"; else cat "$file"; fi
}

lab_pids() {
  local name pid
  if [ "${1:-}" = hub ]; then
    [ -z "$(hub_pid)" ] || echo "hub $(hub_pid)"
    return 0
  fi
  need_host "${1:-}"
  for pid in $(init_pid "$1"); do echo "init $pid"; done
  for name in dockerd containerd; do
    for pid in $(pid_named "$1" $name); do echo "$name $pid"; done
  done
  for pid in $(agent_pid "$1"); do echo "agent $pid"; done
}
