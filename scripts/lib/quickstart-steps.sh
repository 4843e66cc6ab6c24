# shellcheck shell=bash
# quickstart's steps: hub, agent, workload, and taking them away.

KUBECONFIG_FILE=$STATE/hub/kubeconfig
k() { kubectl --kubeconfig "$KUBECONFIG_FILE" "$@"; }

# The address given first holds for later runs; certificates and devices carry it.
hub_address() {
  [ -z "$ADDRESS" ] || echo "$ADDRESS" >"$STATE/address"
  [ -f "$STATE/address" ] || echo 127.0.0.1 >"$STATE/address"
  cat "$STATE/address"
}

hub_ready() {
  curl -s -m 2 --cacert "$STATE/hub/pki/ca.crt" "https://$(hub_address):$API_PORT/readyz" 2>/dev/null | grep -qx ok
}

start_hub() {
  local address
  mkdir -p "$STATE"
  chmod 711 "$STATE"
  address=$(hub_address)
  check_port "$API_PORT" COX_API_PORT "$(main_pid hub)"
  check_port "$MQTT_PORT" COX_MQTT_PORT "$(main_pid hub)"
  is_kept hub || say "starting the hub on $address:$API_PORT"
  keep_running hub "$(command -v node)" dist/hub.js --data-dir "$STATE/hub" --bind "$address" --advertise "$address" \
    --api-port "$API_PORT" --mqtt-port "$MQTT_PORT"
  wait_until 30000 hub_ready || die "the hub does not answer. Its last words: $(tail -n 5 "$STATE/hub.log")"
}

node_name() { hostname | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9.-]/-/g; s/^[-.]+//; s/[-.]+$//' | grep . || echo device; }

start_agent() {
  local line
  if [ ! -f "$STATE/agent/identity/node.crt" ]; then
    say "joining this machine as device $(node_name)"
    line=$(cd "$REPO" && node dist/cox.js token create --kubeconfig "$KUBECONFIG_FILE" | grep -m1 '^cox join ') ||
      die "the hub gave no join token: $STATE/hub.log"
    # shellcheck disable=SC2086 # the printed line is words
    (cd "$REPO" && node dist/cox.js ${line#cox } --node-name "$(node_name)" --data-dir "$STATE/agent") >>"$STATE/agent.log" 2>&1 ||
      die "joining failed: $(tail -n 3 "$STATE/agent.log")"
  fi
  is_kept agent || say "starting the agent"
  keep_running agent "$(command -v node)" dist/agent.js --data-dir "$STATE/agent"
}

deploy_hello() {
  local deadline_ms ready told='' ip
  k apply -f "$REPO/profiles/workloads/hello.yaml" | sed 's/^/quickstart: /' >&2
  deadline_ms=$(($(now_ms) + 180000))
  while :; do
    ready=$(k get deployment hello -o 'jsonpath={.status.readyReplicas}' 2>/dev/null || true)
    [ "${ready:-0}" = "$told" ] || say "${ready:-0} of 3 replicas ready"
    told=${ready:-0}
    ip=$(k get pods -l app=hello -o 'jsonpath={.items[0].status.podIP}' 2>/dev/null || true)
    if [ "$told" -ge 3 ] && [ -n "$ip" ] && page=$(curl -s -f -m 2 "http://$ip:8080/"); then
      say "served: http://$ip:8080/ says \"$page\""
      return
    fi
    [ "$(now_ms)" -lt "$deadline_ms" ] || break
    sleep 0.2
  done
  k get pods -o wide >&2 || true
  k get events >&2 || true
  die "hello is not served after 3 minutes. See above, $STATE/hub.log and $STATE/agent.log"
}

# kubeconfig_for_user: the one to name; a copy of their own for the person behind sudo, since the hub's is root's
kubeconfig_for_user() {
  if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
    install -o "$SUDO_USER" -m 600 "$KUBECONFIG_FILE" "$STATE/kubeconfig-$SUDO_USER"
    echo "$STATE/kubeconfig-$SUDO_USER"
  else
    echo "$KUBECONFIG_FILE"
  fi
}

show_result() {
  local file
  file=$(kubeconfig_for_user)
  echo
  k get nodes
  echo
  k get pods -o wide
  echo
  (cd "$REPO" && node dist/cox.js top --kubeconfig "$KUBECONFIG_FILE" 2>/dev/null) || true
  cat <<TEXT

kubeconfig: $file
logs:       $STATE/hub.log, $STATE/agent.log

Try next:
  export KUBECONFIG=$file
  kubectl scale deployment hello --replicas 5 && kubectl get pods -w
  docker kill \$(docker ps -q --filter label=coxswain.dev/pod-uid | head -1) && kubectl get pods -w
  $HERE/lab up --workers 3
TEXT
}

stop_all() {
  stop_running agent
  engine_up && stop_pods
  stop_running hub
  stop_running dockerd
  say "stopped; scripts/quickstart starts it again, --reset removes it"
}

reset_all() {
  if [ ! -d "$STATE" ]; then
    say "there is nothing to remove"
    return
  fi
  stop_running agent
  if command -v dockerd >/dev/null; then
    ensure_engine
    say "removing containers and networks"
    remove_pods
  fi
  stop_running hub
  stop_running dockerd
  rm -rf "$STATE" /run/coxswain
  say "all of it is gone"
}
