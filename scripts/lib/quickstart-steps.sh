# shellcheck shell=bash
# quickstart's steps: hub, agent, workload, and taking them away.

KUBECONFIG_FILE=$STATE/hub/kubeconfig
k() { kubectl --kubeconfig "$KUBECONFIG_FILE" "$@"; }
cox() { node "$REPO/dist/cox.js" "$@"; }

# settle_address: where the hub listens. What the first run was given holds, since certificates and devices carry it.
settle_address() {
  local file=$STATE/listens address api mqtt
  mkdir -p "$STATE"
  chmod 711 "$STATE"
  read -r address api mqtt < <(cat "$file" 2>/dev/null || echo "${ADDRESS:-127.0.0.1} ${COX_API_PORT:-6443} ${COX_MQTT_PORT:-8883}")
  [ "${ADDRESS:-$address} ${COX_API_PORT:-$api} ${COX_MQTT_PORT:-$mqtt}" = "$address $api $mqtt" ] ||
    die "the hub that is here listens on $address, ports $api and $mqtt.
  To change that, begin anew: scripts/quickstart --reset"
  ADDRESS=$address API_PORT=$api MQTT_PORT=$mqtt
}

hub_ready() {
  curl -s -m 2 --cacert "$STATE/hub/pki/ca.crt" "https://$ADDRESS:$API_PORT/readyz" 2>/dev/null | grep -qx ok
}

start_hub() {
  check_port "$API_PORT" COX_API_PORT "$(main_pid hub)"
  check_port "$MQTT_PORT" COX_MQTT_PORT "$(main_pid hub)"
  echo "$ADDRESS $API_PORT $MQTT_PORT" >"$STATE/listens"
  is_kept hub || say "starting the hub on $ADDRESS:$API_PORT"
  keep_running hub "$(command -v node)" dist/hub.js --data-dir "$STATE/hub" --bind "$ADDRESS" --advertise "$ADDRESS" \
    --api-port "$API_PORT" --mqtt-port "$MQTT_PORT"
  wait_until 30000 hub_ready || wait_for_slow_hub "$(main_pid hub)" || die "the hub does not answer. Its last words:
$(tail -n 5 "$STATE/hub.log")"
}

# wait_for_slow_hub PID: on while it is the same process; one that ends and is started again will not answer later either
wait_for_slow_hub() {
  [ -n "$1" ] && say "this is a slow machine, waiting for the hub" && wait_until 150000 ready_or_another "$1" && hub_ready
}
ready_or_another() { hub_ready || [ "$(main_pid hub)" != "$1" ]; }

node_name() { hostname | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9.-]/-/g; s/^[-.]+//; s/[-.]+$//' | grep . || echo device; }

start_agent() {
  local line
  if [ ! -f "$STATE/agent/identity/node.crt" ]; then
    say "joining this machine as device $(node_name)"
    line=$(cox token create --kubeconfig "$KUBECONFIG_FILE" 2>>"$STATE/agent.log" | grep -m1 '^cox join ') ||
      die "the hub gave no join token: $STATE/hub.log"
    # shellcheck disable=SC2086 # the printed line is words
    cox ${line#cox } --node-name "$(node_name)" --data-dir "$STATE/agent" >>"$STATE/agent.log" 2>&1 ||
      die "joining failed:
$(tail -n 3 "$STATE/agent.log")"
  fi
  is_kept agent || say "starting the agent"
  keep_running agent "$(command -v node)" dist/agent.js --data-dir "$STATE/agent"
}

HELLO_LIMIT_MS=300000
NUDGE_MS=15000

deploy_hello() {
  local began_ms told_ms ready told='' ip page
  if ! k get deployment hello >/dev/null 2>&1; then # what somebody has scaled since stays as it is
    say "deploying profiles/workloads/hello.yaml"
    apply_hello || apply_hello || apply_hello || die "kubectl cannot deploy it, see above"
  fi
  began_ms=$(now_ms) told_ms=$began_ms
  while [ $(($(now_ms) - began_ms)) -lt $HELLO_LIMIT_MS ]; do
    ready=$(k get deployment hello -o 'jsonpath={.status.readyReplicas}/{.spec.replicas}' 2>/dev/null || true)
    [[ $ready != /* ]] || ready=0$ready
    if [ "$ready" != "$told" ]; then
      say "$ready replicas ready"
      told=$ready told_ms=$(now_ms)
    elif [ $(($(now_ms) - told_ms)) -gt $NUDGE_MS ]; then
      k get pods -l app=hello >&2 || true
      told_ms=$(now_ms)
    fi
    ip=$(k get pods -l app=hello -o 'jsonpath={.items[0].status.podIP}' 2>/dev/null || true)
    if [ -n "$ip" ] && [ "${ready%/*}" = "${ready#*/}" ] && page=$(curl -s -f -m 2 "http://$ip:8080/"); then
      say "served: http://$ip:8080/"
      say "  \"$page\""
      return
    fi
    sleep 0.2
  done
  k get pods -o wide >&2 || true
  k get events >&2 || true
  die "hello is not served after 5 minutes. See above, and the logs:
  $STATE/hub.log
  $STATE/agent.log"
}

# apply_hello: on a slow board kubectl may lose its patience with the hub's first answer, which loads the schemas
apply_hello() { k apply -f "$REPO/profiles/workloads/hello.yaml" >/dev/null; }

# await_figures: a device sends its first measurement with its first heartbeat, the next after 10 s
await_figures() {
  have_figures || say "waiting for the first measurement"
  wait_until 20000 have_figures || say "not every pod was measured within 20 s: $STATE/agent.log"
}
have_figures() {
  [ "$(k top pods --no-headers 2>/dev/null | wc -l)" -ge "$(k get pods --no-headers 2>/dev/null | wc -l)" ]
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
  local file sudo=''
  file=$(kubeconfig_for_user)
  [ -z "${SUDO_USER:-}" ] || sudo='sudo '
  # shellcheck disable=SC2153 # set by the caller
  say "ready after $((($(now_ms) - BEGAN_MS + 500) / 1000)) s"
  printf '\nkubectl get nodes\n%s\n' "$(k get nodes)"
  printf '\ncox top: live, TEMP is - where the machine has no sensor\n%s\n' "$(cox top --kubeconfig "$KUBECONFIG_FILE")"
  printf '\nkubectl get pods\n%s\n' "$(k get pods -o "custom-columns=$POD_COLUMNS")"
  printf '\nkubectl top pods\n%s\n' "$(k top pods 2>&1)"
  cat <<TEXT

kubeconfig  $file
logs        $STATE/{hub,agent}.log

Try next
  export KUBECONFIG=$file
  kubectl scale deployment hello --replicas 5; kubectl get pods --watch
  ${sudo}docker kill \$(${sudo}docker ps -qf label=coxswain.dev/pod-uid | head -1)
  ${sudo}$HERE/lab up --workers 3
TEXT
}
POD_COLUMNS='NAME:.metadata.name,STATUS:.status.phase,READY:.status.containerStatuses[*].ready'
POD_COLUMNS+=',RESTARTS:.status.containerStatuses[*].restartCount,IP:.status.podIP,NODE:.spec.nodeName'

stop_all() {
  stop_running agent
  engine_up && stop_pods
  stop_running hub
  stop_running dockerd
  say "stopped. scripts/quickstart starts it again, --reset removes it"
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
  say "all of it is gone; Docker, Node and kubectl stay installed"
}
