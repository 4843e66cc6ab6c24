# shellcheck shell=bash
# A host's agent: joined once, then kept running by a small loop, as systemd's Restart=always would.

# has_joined HOST: its disk holds a whole identity (the certificate is written last)
has_joined() { [ -e "/proc/$(init_pid "$1")/root/var/lib/coxswain/identity/node.crt" ]; }

agent_join() {
  local host=$1 line
  ! has_joined "$host" || return 0
  line=$(cd "$REPO" && node dist/cox.js token create --kubeconfig "$LAB_DIR/kubeconfig") || die "no token for $host"
  line=$(grep -m1 '^cox join ' <<<"$line") || die "token create printed no 'cox join' line"
  # shellcheck disable=SC2086 # the printed line is words
  (enter "$host" node "$REPO/dist/cox.js" ${line#cox } --node-name "$host" --data-dir /var/lib/coxswain) \
    </dev/null >>"$LAB_DIR/$host/agent.log" 2>&1 || die "$host could not join: $(tail -3 "$LAB_DIR/$host/agent.log")"
}

# agent_start HOST: once joined; does not wait
agent_start() {
  has_joined "$1" || return 0
  [ -z "$(agent_loop_pid "$1")" ] || return 0
  # shellcheck disable=SC2046,SC2086 # the user's words, split on purpose
  enter_detached "$1" "$LAB_DIR/$1/agent.log" bash "$HERE/lib/respawn.sh" /run/lab/agent env $(unit_env agent) \
    node "$REPO/dist/agent.js" --data-dir /var/lib/coxswain $LAB_AGENT_ARGS
}

# Both pids are written inside the host; here they are looked up from outside.
agent_loop_pid() { inner_pid_file "$1" agent.loop; }
agent_pid() { inner_pid_file "$1" agent.pid; }
inner_pid_file() {
  local init inner
  init=$(init_pid "$1")
  [ -n "$init" ] || return 0
  inner=$(cat "/proc/$init/root/run/lab/$2" 2>/dev/null) || return 0
  outer_pid "$1" "$inner"
}

agent_stop() { # the loop first, so that nothing starts it again
  local pid
  for pid in $(agent_loop_pid "$1"); do kill -9 "$pid"; done
  for pid in $(agent_pid "$1"); do kill -TERM "$pid"; done
  wait_until 15000 agent_dead "$1" || die "the agent of $1 does not end"
}
agent_dead() { [ -z "$(agent_pid "$1")" ]; }

agent_kill() {
  local pid
  pid=$(agent_pid "$1")
  [ -n "$pid" ] || die "no agent runs on $1"
  kill -9 "$pid"
}
