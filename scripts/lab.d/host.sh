# shellcheck shell=bash
# A host: boot, enter, power off.

# host_boot HOST: namespaces, disk, network, first process; no engine yet. Does nothing when the host is on.
host_boot() {
  local host=$1 dir=$LAB_DIR/$1
  is_on "$host" && return
  mkdir -p "$dir"
  host_sweep "$host"
  disk_make "$host"
  cg_make "$host"
  link_up "$host"
  first_proc_files "$dir/proc-seed"
  (
    cg_join "$host"
    export LAB_MEM CGROUP_VERSION HIERARCHIES ADDRESS GATEWAY HUB_ADDRESS MODEL=$LAB_MODEL
    CGROUP_VERSION=$(is_v2 && echo 2 || echo 1)
    HIERARCHIES=$(is_v2 || hierarchies | tr '\n' ' ')
    ADDRESS=$(address_of "$host") GATEWAY=$(subnet).254 HUB_ADDRESS=$(address_of hub)
    exec nsenter --net="/run/netns/$PREFIX.$host" setsid unshare -m -u -i -p -C -f --propagation private -- \
      bash "$HERE/lab.d/host-init.sh" "$host" "$LAB_DIR" "$REPO" "$dir/proc-seed"
  ) </dev/null >"$dir/init.log" 2>&1 9>&- &
  wait_until 10000 host_ready "$host" || die "$host did not boot: $(tail -3 "$dir/init.log")"
  cg_settle "$host"
  ln -sfn "/proc/$(init_pid "$host")/root/run/docker.sock" "$dir/docker.sock"
}

# The first process is the one that is pid 1 in its own namespace; it is ready when it says so on its /run.
host_ready() {
  local pid
  pid=$(init_pid "$1")
  if [ -z "$pid" ]; then
    for pid in $(cg_pids "$1"); do
      # shellcheck disable=SC2046
      set -- "$1" $(grep -s NSpid "/proc/$pid/status")
      [ "$#-${4:-}" = 4-1 ] || continue
      echo "$pid" >"$LAB_DIR/$1/init.pid"
      break
    done
    return 1
  fi
  [ -e "/proc/$pid/root/run/lab/ready" ]
}

# first_proc_files DIR: what /proc says until the renderer's first turn; Docker reads MemTotal once, at its start
first_proc_files() {
  local kb=$(($(memory_bytes) / 1024)) n
  mkdir -p "$1"
  sed -E "s/^(MemTotal|MemFree|MemAvailable):.*/\1: $kb kB/" /proc/meminfo >"$1/meminfo"
  {
    echo "cpu  0 0 0 0 0 0 0 0 0 0"
    for ((n = 0; n < LAB_CPUS; n++)); do echo "cpu$n 0 0 0 0 0 0 0 0 0 0"; done
    echo "btime $(date +%s)"
  } >"$1/stat"
  echo "0.00 0.00 0.00 1/1 1" >"$1/loadavg"
  echo "0.00 0.00" >"$1/uptime"
}

# enter HOST COMMAND...: become COMMAND inside the host. nsenter -p forks, so without pdeathsig a killed caller would leave
# the command running. LAB_INTO=load puts it under the board's load account.
enter() {
  local host=$1 pid
  shift
  pid=$(init_pid "$host")
  [ -n "$pid" ] || die "$host is powered off"
  cg_join "$host" "${LAB_INTO:-system}"
  unset DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG KUBECONFIG
  exec nsenter -t "$pid" -m -u -i -n -p -C -- setpriv --pdeathsig TERM -- "$@"
}

# unit_env hub|agent: the environment our systemd unit gives it, NAME=VALUE a line
unit_env() { sed -n 's/^Environment=//p' "$HERE/packaging/coxswain-$1.service"; }

# enter_detached HOST LOG COMMAND...: start COMMAND as a child of the host's first process and return
enter_detached() {
  local host=$1 log=$2
  shift 2
  (enter "$host" setsid --fork "$@") </dev/null >>"$log" 2>&1 9>&-
}

# outer_pid HOST INNER_PID: the same process seen from here
outer_pid() {
  local pid
  for pid in $(cg_pids "$1"); do
    [ "$(awk '/^NSpid/ { print $3 }' "/proc/$pid/status" 2>/dev/null)" != "$2" ] || echo "$pid" # $4 is a container's
  done
}

# pid_named HOST COMM: outer pids of the host's own processes (not of its containers) with that name
pid_named() {
  local init
  init=$(init_pid "$1")
  [ -n "$init" ] || return 0
  pgrep --ns "$init" --nslist pid -x "$2" || true
}

# power_off HOST: kill -9 of the first process takes every process of the host with it; then the disk's file system is shut
# down (EXT4_IOC_SHUTDOWN, no flush) through a handle taken before, so that what was not synced is lost
power_off() {
  local host=$1 pid
  pid=$(init_pid "$host")
  ip -n "$SWITCH" link set "$(port_of "$host")" down 2>/dev/null || true
  if [ -n "$pid" ]; then
    if [ -e "$LAB_DIR/$host/disk.img" ]; then
      perl "$HERE/lab.d/power-cut.pl" "$pid" "/proc/$pid/root/run/lab/disk" || kill -9 "$pid"
    else
      kill -9 "$pid"
    fi
  fi
  host_sweep "$host"
}

# host_sweep HOST: nothing of a run of this host is left but its disk and its logs; also after a run that broke
host_sweep() {
  local pid
  for pid in $(cg_pids "$1"); do kill -9 "$pid" 2>/dev/null || true; done
  cg_clean "$1"
  link_down "$1"
  [ ! -e "$LAB_DIR/$1/disk.img" ] || disk_release "$1"
  rm -f "$LAB_DIR/$1/init.pid" "$LAB_DIR/$1/docker.sock"
}
