# shellcheck shell=bash
# What a host's /proc says (proc-view.mjs), and the load from outside the orchestrator.

proc_view_pid() {
  local pid
  pid=$(cat "$LAB_DIR/proc-view.pid" 2>/dev/null) || return 0
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "proc-view.mjs $LAB_DIR " && echo "$pid"
  return 0
}

proc_view_start() {
  [ -z "$(proc_view_pid)" ] || return 0
  setsid node --max-semi-space-size=1 "$HERE/lab.d/proc-view.mjs" "$LAB_DIR" "$PREFIX" "$(is_v2 && echo 2 || echo 1)" \
    "$LAB_CPUS" "$(memory_bytes)" "$LAB_LOAD_SCALE" </dev/null >"$LAB_DIR/proc-view.log" 2>&1 9>&- &
  echo $! >"$LAB_DIR/proc-view.pid"
}

proc_view_stop() {
  local pid
  pid=$(proc_view_pid)
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
  rm -f "$LAB_DIR/proc-view.pid"
}

# load HOST PERCENT SECONDS: returns at once. A new load takes the place of the one before; 0 percent ends it.
load() {
  local host=$1 percent=$2 seconds=$3 cores n dir pid
  [[ $percent =~ ^[0-9]+$ && $percent -le 100 && $seconds =~ ^[0-9]+$ ]] || die "load NODE PERCENT(0-100) SECONDS"
  dir=$(cg_of cpuacct "$host")/load
  while read -r pid; do kill "$pid" 2>/dev/null || true; done <"$dir/cgroup.procs"
  [ "$percent" -gt 0 ] || return 0
  # as many processes as real cores are needed; with the usual scale one is enough
  n=$(((percent * LAB_CPUS + 100 * LAB_LOAD_SCALE - 1) / (100 * LAB_LOAD_SCALE)))
  cores=$(awk "BEGIN { print $percent / 100 * $LAB_CPUS / $LAB_LOAD_SCALE / $n }")
  while ((n-- > 0)); do
    LAB_INTO=load enter_detached "$host" "$LAB_DIR/$host/load.log" perl "$HERE/lab.d/burn.pl" "$cores" "$seconds"
  done
}

# temperature HOST CELSIUS: what the board's sensor says from now on
temperature() {
  [[ ${2:-} =~ ^-?[0-9]+$ ]] || die "temperature NODE CELSIUS"
  echo "$(($2 * 1000))" >"/proc/$(init_pid "$1")/root/sys/class/thermal/thermal_zone0/temp"
}
