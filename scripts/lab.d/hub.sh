# shellcheck shell=bash
# The hub: a host of its own on the switch (namespace, address), its data in a folder, one process.

HUB_DIR=$LAB_DIR/hub
hub_pid() {
  local pid
  pid=$(cat "$HUB_DIR/pid" 2>/dev/null) || return 0
  # its age tells it from a later process with the same number
  [ "$(age_of "$pid")" = "$(cat "$HUB_DIR/age" 2>/dev/null)" ] && echo "$pid"
  return 0
}
hub_dead() { [ -z "$(hub_pid)" ] || [ "$(awk '{print $3}' "/proc/$(hub_pid)/stat" 2>/dev/null)" = Z ]; }

hub_start() {
  mkdir -p "$HUB_DIR"
  if [ ! -e "/run/netns/$PREFIX.hub" ] || ! ip -n "$SWITCH" link show hub >/dev/null 2>&1; then link_up hub; fi
  [ -z "$(hub_pid)" ] || return 0
  local address
  address=$(address_of hub)
  # shellcheck disable=SC2086 # the user's words, split on purpose
  (
    cd "$REPO" || exit
    # shellcheck disable=SC2046 # one word a variable
    exec setsid nsenter --net="/run/netns/$PREFIX.hub" -- env $(unit_env hub) \
      node dist/hub.js --data-dir "$HUB_DIR/data" --bind "$address" --advertise "$address" \
      --api-port 6443 --mqtt-port 8883 $LAB_HUB_ARGS
  ) </dev/null >>"$HUB_DIR/log" 2>&1 9>&- &
  echo $! >"$HUB_DIR/pid"
  age_of $! >"$HUB_DIR/age"
  ln -sfn hub/data/kubeconfig "$LAB_DIR/kubeconfig"
}

hub_ready() {
  curl -s -m 2 --cacert "$HUB_DIR/data/pki/ca.crt" "https://$(address_of hub):6443/readyz" 2>/dev/null | grep -qx ok
}
hub_ready_or_dead() { hub_ready || hub_dead; }
hub_wait() {
  wait_until 30000 hub_ready_or_dead && hub_ready && return
  die "the hub does not answer; its last words: $(tail -5 "$HUB_DIR/log")"
}

hub_signal() { # hub_signal TERM|KILL, and wait until it is gone
  local pid
  pid=$(hub_pid)
  [ -n "$pid" ] || return 0
  kill "-$1" "$pid"
  wait_until 20000 hub_dead || die "the hub (pid $pid) does not end"
  rm -f "$HUB_DIR/pid"
}

hub_sweep() {
  local pid
  for pid in $(ip netns pids "$PREFIX.hub" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
  link_down hub
  rm -f "$HUB_DIR/pid"
}
