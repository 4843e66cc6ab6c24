# shellcheck shell=bash
# Small things every script here shares: talking to the user, waiting with a deadline, being root, building.

# say TEXT...: progress for people, on stderr, so that stdout stays for results
say() { printf '%s: %s\n' "${SAY_AS:-coxswain}" "$*" >&2; }

# die TEXT...: say what is wrong (and what to do about it), leave
die() {
  say "$*"
  exit 1
}

now_ms() { date +%s%3N; }

# wait_until MS COMMAND...: run COMMAND every 20 ms until it succeeds; 1 when MS have passed
wait_until() {
  local deadline_ms=$(($(now_ms) + $1))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$deadline_ms" ] || return 1
    sleep 0.02
  done
}

# need_root ARGS...: run the calling script again with sudo unless we are root already
need_root() {
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null || die "this needs root and there is no sudo: run it as root"
  # sudo's own PATH may miss the node that was installed by hand; and root's caches belong into root's home
  exec sudo --preserve-env env "PATH=$PATH" "HOME=$(getent passwd root | cut -d: -f6)" "$0" "$@"
}

# as_owner DIR COMMAND...: as the person whose checkout DIR is, so that root leaves no files there they cannot change
as_owner() {
  local dir=$1 owner home
  shift
  owner=$(stat -c %U "$dir")
  if [ "$(id -u)" -ne 0 ] || [ "$owner" = root ] || [ "$owner" = UNKNOWN ]; then
    "$@"
  else
    home=$(getent passwd "$owner" | cut -d: -f6)
    runuser -u "$owner" -- env "HOME=$home" "USER=$owner" "PATH=$PATH" "$@"
  fi
}

# ensure_built REPO: make the three bundles if one is missing or older than the sources
ensure_built() {
  ! is_built "$1" || return 0
  say "building the programs"
  (cd "$1" && as_owner "$1" npm run --silent build) >&2 || die "the build failed, see above"
}

is_built() (
  cd "$1" && [ -f dist/hub.js ] && [ -f dist/agent.js ] && [ -f dist/cox.js ] && [ -d dist/schema ] &&
    [ -z "$(find hub edge-agent cli kit protocol profiles/nodes scripts/build*.ts package-lock.json -newer dist/cox.js -print -quit)" ]
)

# age_of PID: a value that stays the same while PID is the same process (its start time), empty when it is gone
age_of() { [ -r "/proc/$1/stat" ] && sed -E 's/^.*\) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# apparmor_tool: the tool and its package that Docker starts no container without, where the kernel has AppArmor on; docker.io
# only recommends it, so a small Debian has none
apparmor_tool() { ! grep -qsx Y "${APPARMOR_ENABLED:-/sys/module/apparmor/parameters/enabled}" || echo apparmor_parser:apparmor; }
