# shellcheck shell=bash disable=SC2034 # used by the other parts
# Where a lab keeps what it knows, what its things on the machine are called, and which settings it was made with.

LAB_NAME=${LAB_NAME:-lab}
[[ $LAB_NAME =~ ^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$ ]] || die "LAB_NAME '$LAB_NAME': use up to 20 of a-z, 0-9 and -"
LAB_CACHE=${LAB_CACHE:-/var/tmp/coxswain-lab} # the seed, and the folder of every lab that has no LAB_DIR
LAB_DIR=${LAB_DIR:-$LAB_CACHE/labs/$LAB_NAME}
PREFIX=cox.$LAB_NAME                                            # of network namespaces and of the cgroup
SWITCH=$PREFIX.switch                                           # the namespace that holds the bridge
ROOT_LINK=cx$(printf '%s' "$LAB_NAME" | sha256sum | cut -c1-10) # the machine's own leg; 15 characters at most
SETTINGS=(LAB_CPUS LAB_MEM LAB_DISK LAB_LOAD_SCALE LAB_LIVE_RESTORE LAB_DOCKERD_ARGS LAB_HUB_ARGS LAB_AGENT_ARGS
  LAB_NO_COXSWAIN LAB_MODEL)

# Settings given on `up` hold for the life of the lab; what the environment says now goes first.
load_settings() {
  local name value
  if [ -f "$LAB_DIR/settings" ]; then
    while IFS='=' read -r name value; do
      [ -n "${!name+set}" ] || printf -v "$name" '%s' "$value"
    done <"$LAB_DIR/settings"
  fi
  LAB_CPUS=${LAB_CPUS:-2}
  LAB_MEM=${LAB_MEM:-2g}
  LAB_DISK=${LAB_DISK:-3g}
  LAB_LOAD_SCALE=${LAB_LOAD_SCALE:-10}
  : "${LAB_LIVE_RESTORE:=0}" "${LAB_DOCKERD_ARGS:=}" "${LAB_HUB_ARGS:=}" "${LAB_AGENT_ARGS:=}" "${LAB_NO_COXSWAIN:=0}"
  : "${LAB_MODEL:=}"
}

save_settings() {
  local name
  for name in "${SETTINGS[@]}"; do printf '%s=%s\n' "$name" "${!name}"; done >"$LAB_DIR/settings"
}

# hosts: the workers of this lab, one a line, in the order of their numbers
hosts() { find "$LAB_DIR" -maxdepth 1 -type d -name 'worker-*' -printf '%f\n' 2>/dev/null | sort -t- -k2n; }

number_of() { echo "${1#worker-}"; }

# need_host NODE: NODE is one of this lab's workers
need_host() {
  [[ ${1:-} =~ ^worker-[0-9]+$ ]] || die "'${1:-}' is no node; nodes are: $(hosts | tr '\n' ' ')"
  [ -d "$LAB_DIR/$1" ] || die "there is no $1 in lab $LAB_NAME; nodes are: $(hosts | tr '\n' ' ')"
}

# init_pid HOST: outer pid of the host's first process; empty when the host is off. A pid is believed only when it sits in
# the host's cgroup, so a number used again by somebody else never counts.
init_pid() {
  local pid
  pid=$(cat "$LAB_DIR/$1/init.pid" 2>/dev/null) || return 0
  grep -qsF "/$PREFIX/$1" "/proc/$pid/cgroup" && echo "$pid"
  return 0
}

is_on() { [ -n "$(init_pid "$1")" ]; }

need_on() {
  need_host "$1"
  is_on "$1" || die "$1 is powered off: scripts/lab power-on $1"
}
