# shellcheck shell=bash
# The switch: a bridge in a namespace of its own. It forwards nothing to the outside. The machine has one leg on it, so
# that kubectl and the tests reach the hub.

# subnet: the lab's /24 without its last number. From 198.18.0.0/15, which is set aside for test networks (RFC 2544), so it
# meets no real LAN; the name picks the place, the next free one is taken when another lab sits there.
subnet() { cat "$LAB_DIR/subnet"; }

pick_subnet() {
  local n tries net
  n=$(printf '%s' "$LAB_NAME" | cksum | cut -d' ' -f1)
  for ((tries = 0; tries < 512; tries++)); do
    net=198.$((18 + (n + tries) % 512 / 256)).$(((n + tries) % 256))
    ip -4 -o addr show | grep -v " $ROOT_LINK " | grep -qF " $net." || break
  done
  echo "$net" >"$LAB_DIR/subnet"
}

address_of() { if [ "$1" = hub ]; then echo "$(subnet).10"; else echo "$(subnet).$((10 + $(number_of "$1")))"; fi; }
mac_of() { printf '02:c0:%02x:%02x:%02x:%02x' $(($(printf '%s' "$LAB_NAME" | cksum | cut -d' ' -f1) % 256)) \
  "$(subnet | cut -d. -f2)" "$(subnet | cut -d. -f3)" "$(address_of "$1" | cut -d. -f4)"; }
port_of() { if [ "$1" = hub ]; then echo hub; else echo "w$(number_of "$1")"; fi; } # the switch's end of a host's cable
in_switch() { nsenter --net="/run/netns/$SWITCH" -- "$@"; } # not `ip netns exec`: that remounts /sys

switch_up() {
  [ -e "/run/netns/$SWITCH" ] && ip link show "$ROOT_LINK" >/dev/null 2>&1 && [ -f "$LAB_DIR/subnet" ] && return
  switch_down
  (
    flock 8 # two labs coming up at once must not pick the same subnet
    pick_subnet
    ip netns add "$SWITCH"
    ip link add "$ROOT_LINK" type veth peer name machine netns "$SWITCH"
    ip addr add "$(subnet).253/24" dev "$ROOT_LINK"
  ) 8>"$LAB_CACHE/net.lock"
  in_switch sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
  ip -n "$SWITCH" link set lo up
  ip -n "$SWITCH" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
  ip -n "$SWITCH" addr add "$(subnet).254/24" dev br0
  ip -n "$SWITCH" link set br0 up
  ip -n "$SWITCH" link set machine master br0 up
  sh -c "echo 1 >/proc/sys/net/ipv6/conf/$ROOT_LINK/disable_ipv6" 2>/dev/null || true # a kernel without IPv6
  ip link set "$ROOT_LINK" up
}

switch_down() {
  ip link del "$ROOT_LINK" 2>/dev/null || true
  ip netns del "$SWITCH" 2>/dev/null || true
}

# link_up HOST: its network namespace with a cable to the switch; unplugged when the host was cut before
link_up() {
  local ns=$PREFIX.$1 port
  port=$(port_of "$1")
  link_down "$1"
  ip netns add "$ns"
  ip link add "$port" netns "$SWITCH" type veth peer name eth0 netns "$ns"
  ip -n "$SWITCH" link set "$port" master br0
  [ -e "$LAB_DIR/$1/cut" ] || ip -n "$SWITCH" link set "$port" up
  ip -n "$ns" link set lo up
  ip -n "$ns" link set eth0 address "$(mac_of "$1")"
  ip -n "$ns" addr add "$(address_of "$1")/24" brd + dev eth0
  ip -n "$ns" link set eth0 up
  ip -n "$ns" route add default via "$(subnet).254"
}

link_down() {
  ip -n "$SWITCH" link del "$(port_of "$1")" 2>/dev/null || true
  ip netns del "$PREFIX.$1" 2>/dev/null || true
}

# unplug HOST: the cable is pulled, the host sees it. It stays pulled over a power cycle.
unplug() {
  : >"$LAB_DIR/$1/cut"
  ip -n "$SWITCH" link set "$(port_of "$1")" down 2>/dev/null || true
}
plug() {
  rm -f "$LAB_DIR/$1/cut"
  ip -n "$SWITCH" link set "$(port_of "$1")" up 2>/dev/null || true
  unblackhole "$1"
}

# blackhole HOST: the switch drops every frame of the host and tells nobody; its link stays up
blackhole() {
  local port
  port=$(port_of "$1")
  unblackhole "$1"
  in_switch nft -f - <<NFT
table bridge $port {
  chain forward { type filter hook forward priority 0; iifname "$port" drop; oifname "$port" drop; }
  chain input { type filter hook input priority 0; iifname "$port" drop; }
  chain output { type filter hook output priority 0; oifname "$port" drop; }
}
NFT
  : >"$LAB_DIR/$1/blackhole"
}
unblackhole() {
  rm -f "$LAB_DIR/$1/blackhole"
  in_switch nft delete table bridge "$(port_of "$1")" 2>/dev/null || true
}

link_word() {
  if [ -e "$LAB_DIR/$1/cut" ]; then echo cut; elif [ -e "$LAB_DIR/$1/blackhole" ]; then echo blackholed; else echo up; fi
}
