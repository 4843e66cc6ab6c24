# shellcheck shell=bash
# Each host has a cgroup sub-tree of its own, on cgroup v1 (one per hierarchy) and v2. It bounds the host's memory and, on
# machines with more CPUs than a board, its CPUs; and it is where the host's own usage is read from.

CGROOT=/sys/fs/cgroup
is_v2() { [ -f "$CGROOT/cgroup.controllers" ]; }

# hierarchies: the v1 folders under /sys/fs/cgroup, e.g. cpu,cpuacct memory systemd
hierarchies() { find "$CGROOT" -mindepth 1 -maxdepth 1 -type d ! -name unified -printf '%f\n' | while read -r h; do
  mountpoint -q "$CGROOT/$h" && echo "$h"
done; }

# cg_of CONTROLLER HOST: the host's folder for that controller
cg_of() { if is_v2; then echo "$CGROOT/$PREFIX/$2"; else echo "$CGROOT/$1/$PREFIX/$2"; fi; }

set_cg() { # set_cg FILE VALUE: where the kernel has the knob
  [ ! -e "$1" ] || echo "$2" >"$1" || say "the kernel refused $2 for $1"
}

# board_cpus HOST: the CPUs a board gets when the machine has more than a board should have, e.g. 2-3
board_cpus() {
  local all first
  all=$(nproc --all)
  [ "$LAB_CPUS" -lt "$all" ] || return 0
  first=$((($(number_of "$1") - 1) * LAB_CPUS % all))
  [ $((first + LAB_CPUS)) -le "$all" ] || first=0
  echo "$first-$((first + LAB_CPUS - 1))"
}

cg_make() {
  local h dir cpus
  cpus=$(board_cpus "$1")
  if is_v2; then
    mkdir -p "$CGROOT/$PREFIX"
    cg_hand_on "$CGROOT"
    cg_hand_on "$CGROOT/$PREFIX"
    mkdir -p "$CGROOT/$PREFIX/$1/"{system,load}
    set_cg "$CGROOT/$PREFIX/$1/memory.max" "$(memory_bytes)"
    [ -z "$cpus" ] || set_cg "$CGROOT/$PREFIX/$1/cpuset.cpus" "$cpus"
    return
  fi
  for h in $(hierarchies); do
    for dir in "$CGROOT/$h/$PREFIX" "$CGROOT/$h/$PREFIX/$1" "$CGROOT/$h/$PREFIX/$1/load"; do
      mkdir -p "$dir"
      [[ ,$h, == *,cpuset,* ]] || continue
      cat "$(dirname "$dir")/cpuset.cpus" >"$dir/cpuset.cpus" # empty in a new folder: nothing could run
      cat "$(dirname "$dir")/cpuset.mems" >"$dir/cpuset.mems"
      [ -z "$cpus" ] || [ "$dir" = "$CGROOT/$h/$PREFIX" ] || echo "$cpus" >"$dir/cpuset.cpus"
    done
  done
  set_cg "$CGROOT/memory/$PREFIX/$1/memory.limit_in_bytes" "$(memory_bytes)"
}

cg_hand_on() { # v2: let the folders below DIR use every controller it has
  local controller
  # shellcheck disable=SC2013 # it is one line of words
  for controller in $(cat "$1/cgroup.controllers"); do
    echo "+$controller" >"$1/cgroup.subtree_control" 2>/dev/null || true # some exist only at the top
  done
}

# cg_settle HOST: v2 lets a folder hand controllers on only while no process sits in it. The host's first processes began in
# the host's folder, which made it the root of what the host sees; now they move one below, as under systemd.
cg_settle() {
  is_v2 || return 0
  wait_until 2000 cg_moved "$CGROOT/$PREFIX/$1" || say "$1: its cgroup cannot hand controllers on, containers run unbounded"
  cg_hand_on "$CGROOT/$PREFIX/$1"
}
cg_moved() { # again and again: a process may fork while it is moved
  local pid
  while read -r pid; do echo "$pid" >"$1/system/cgroup.procs" 2>/dev/null || true; done <"$1/cgroup.procs"
  [ -z "$(cat "$1/cgroup.procs")" ]
}

memory_bytes() { numfmt --from=iec "$(tr '[:lower:]' '[:upper:]' <<<"$LAB_MEM")"; }

# cg_join HOST [system|load]: move the calling shell into the host's sub-tree
cg_join() {
  local h
  if is_v2; then
    echo "$BASHPID" >"$CGROOT/$PREFIX/$1${2:+/$2}/cgroup.procs"
    return
  fi
  [ "${2:-}" = load ] || set -- "$1"
  for h in $(hierarchies); do echo "$BASHPID" >"$CGROOT/$h/$PREFIX/$1${2:+/$2}/cgroup.procs"; done
}

# cg_pids [HOST]: every process of a host, or of the whole lab
cg_pids() {
  local where=$CGROOT/$PREFIX/${1:-}
  is_v2 || where=$CGROOT/pids/$PREFIX/${1:-}
  find "$where" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -nu
}

# cg_clean [HOST]: remove the sub-tree. The kernel lets go of a killed process a little later, hence the tries.
cg_clean() { wait_until 5000 cg_gone "${1:-}" || say "the cgroup of ${1:-the lab} is still in use"; }
cg_gone() {
  local top left=0
  for top in "$CGROOT" $(is_v2 || hierarchies | sed "s,^,$CGROOT/,"); do
    [ -d "$top/$PREFIX/$1" ] || continue
    find "$top/$PREFIX/$1" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -d "$top/$PREFIX/$1" ] || left=1
  done
  return $left
}
