# shellcheck shell=bash
# Keeps a program running: as a transient systemd unit where systemd runs, else under a small loop with a pid file.
# The caller sets STATE.

has_systemd() { [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; }
unit_of() { echo "coxswain-quickstart-$1"; }

# keep_running NAME COMMAND...: start it unless it runs; its output goes to $STATE/NAME.log
keep_running() {
  local name=$1
  shift
  ! is_kept "$name" || return 0
  if has_systemd; then
    systemctl reset-failed "$(unit_of "$name").service" 2>/dev/null || true
    # KillMode=process: stopping the agent must not stop what it started. PATH is where node was found.
    systemd-run --quiet --unit "$(unit_of "$name")" --property Restart=always --property RestartSec=1 \
      --property KillMode=process --property "StandardOutput=append:$STATE/$name.log" \
      --property "StandardError=append:$STATE/$name.log" --setenv "PATH=$PATH" --working-directory "$REPO" "$@"
  else
    (
      cd "$REPO" || exit
      exec setsid bash "$HERE/lib/respawn.sh" "$STATE/$name" "$@"
    ) </dev/null >>"$STATE/$name.log" 2>&1 &
    disown $! # or bash tells of its end
    age_of $! >"$STATE/$name.age"
    echo $! >"$STATE/$name.loop"
  fi
}

is_kept() {
  if has_systemd; then systemctl is-active --quiet "$(unit_of "$1").service"; else [ -n "$(loop_pid "$1")" ]; fi
}

# main_pid NAME: the program itself; empty when it does not run
main_pid() {
  if has_systemd; then
    systemctl show --property MainPID --value "$(unit_of "$1").service" 2>/dev/null | grep -v '^0$' || true
  elif [ -n "$(loop_pid "$1")" ]; then
    cat "$STATE/$1.pid" 2>/dev/null || true
  fi
}

loop_pid() { # believed only when it is as old as the one we started
  local pid
  pid=$(cat "$STATE/$1.loop" 2>/dev/null) || return 0
  [ -n "$(age_of "$pid")" ] && [ "$(age_of "$pid")" = "$(cat "$STATE/$1.age" 2>/dev/null)" ] && echo "$pid"
  return 0
}

# stop_running NAME: SIGTERM, then SIGKILL after 15 s
stop_running() {
  local pid
  is_kept "$1" || return 0
  say "stopping $1"
  if has_systemd; then
    systemctl stop "$(unit_of "$1").service"
  else
    pid=$(main_pid "$1")
    kill -9 "$(loop_pid "$1")" 2>/dev/null || true
    if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then wait_until 15000 is_dead "$pid" || kill -9 "$pid"; fi
  fi
  rm -f "$STATE/$1."{loop,age,pid}
}
is_dead() { [ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"; }
