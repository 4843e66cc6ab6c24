#!/bin/bash
# The first process of a lab host, in its own namespaces: gives the host a root file system of its own (the machine's, under
# an overlay kept on the host's disk), mounts what a board has mounted, says "ready", then only reaps.
# Arguments: HOST STATE_DIR REPO PROC_SEED (a folder with the first contents of the rendered /proc files)
set -eu
host=$1 state=$2 repo=$3
: "${CGROUP_VERSION:?}" "${HIERARCHIES?}" "${ADDRESS:?}" "${GATEWAY:?}" "${HUB_ADDRESS:?}" "${MODEL?}"

mount -t tmpfs -o mode=755 tmpfs /run # also hides what the machine has there, its Docker first
mkdir -p /run/lab/{disk,root,proc} /run/lock
if [ -f "$state/$host/disk.img" ]; then
  mount -o loop,commit=5,noatime "$state/$host/disk.img" /run/lab/disk
  upper=/run/lab/disk
else
  mount --bind "$state/$host/disk" /run/lab/disk
  upper=/run/lab/ram # an overlay cannot keep its upper folder inside its lower one
fi
mkdir -p $upper/{root,root-work}
root=/run/lab/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper/root,workdir=$upper/root-work" $root

# live, not through the overlay, which must not see its lower files change: the bundles, the lab's folder, node
for dir in "$repo" "$state" "$(dirname "$(readlink -f "$(command -v node)")")" /usr /opt; do
  [ "$dir" = "$repo" ] || [ "$dir" = "$state" ] || [ "$(stat -c %m "$dir")" != / ] || continue
  mkdir -p "$root$dir"
  mount --bind "$dir" "$root$dir"
done
if [ "$(stat -c %m /tmp)" != / ] || [[ $repo/ != /tmp/* && $state/ != /tmp/* ]]; then mount -t tmpfs -o mode=1777 tmpfs $root/tmp; fi
mount --rbind /dev $root/dev
mount -t tmpfs -o mode=1777 tmpfs $root/dev/shm
mount -t proc proc $root/proc
mount -t sysfs sysfs $root/sys
if [ "$CGROUP_VERSION" = 2 ]; then
  mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 tmpfs $root/sys/fs/cgroup
  for h in $HIERARCHIES; do
    mkdir $root/sys/fs/cgroup/"$h"
    options=$h
    [ "$h" != systemd ] || options=none,name=systemd
    mount -t cgroup -o "$options" cgroup $root/sys/fs/cgroup/"$h" || rmdir $root/sys/fs/cgroup/"$h"
    for one in ${h//,/ }; do [ "$one" = "$h" ] || ln -s "$h" $root/sys/fs/cgroup/"$one"; done
  done
fi
mount --rbind /run $root/run
mkdir -p $root/run/lab/old
cd $root
pivot_root . run/lab/old
umount -l /run/lab/old/run # else the rest cannot go: /run is still in use as the new one
umount -l /run/lab/old
umount -l /run/lab/root 2>/dev/null || true

hostname "$host"
rm -f /etc/hostname /etc/hosts /etc/resolv.conf /etc/machine-id
echo "$host" >/etc/hostname
printf '127.0.0.1 localhost\n::1 localhost\n%s %s\n%s hub\n' "$ADDRESS" "$host" "$HUB_ADDRESS" >/etc/hosts
echo "nameserver $GATEWAY" >/etc/resolv.conf # nobody answers there: names of the outside fail at once
[ -s /run/lab/disk/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/run/lab/disk/machine-id
cp /run/lab/disk/machine-id /etc/machine-id
for pair in docker:/var/lib/docker coxswain:/var/lib/coxswain etc-docker:/etc/docker; do
  mkdir -p "/run/lab/disk/${pair%%:*}" "${pair#*:}"
  mount --bind "/run/lab/disk/${pair%%:*}" "${pair#*:}"
done
chmod 710 /var/lib/docker
echo 0 >/proc/sys/net/ipv4/ip_forward # as on a fresh board: Docker sets FORWARD DROP only if it turns this on itself

# what a board says about itself
cp "$4"/* /run/lab/proc/
for file in stat meminfo loadavg uptime; do mount --bind /run/lab/proc/$file /proc/$file; done
cat /proc/sys/kernel/random/uuid >/run/lab/boot_id
mount --bind /run/lab/boot_id /proc/sys/kernel/random/boot_id
if [ -d /sys/class/thermal ]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/class/thermal
  mkdir /sys/class/thermal/thermal_zone0
  echo cpu-thermal >/sys/class/thermal/thermal_zone0/type
  echo 45000 >/sys/class/thermal/thermal_zone0/temp
fi
if [ -n "$MODEL" ] && [ -d /sys/firmware ]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/firmware
  mkdir -p /sys/firmware/devicetree/base
  printf '%s\0' "$MODEL" >/sys/firmware/devicetree/base/model
fi
: >/run/lab/ready
exec -a init bash -c 'trap : TERM INT HUP; while :; do sleep infinity & wait $!; done'
