#!/bin/sh
# Runs inside a host: containerd if it is not there, then dockerd with the arguments given.
mkdir -p /run/containerd
if ! pidof containerd >/dev/null; then
  rm -f /run/containerd/containerd.sock*
  # without the Kubernetes plug-in and the other snapshotters, as dockerd configures the containerd it starts itself
  cat >/run/lab/containerd.toml <<'TOML'
version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt"]
TOML
  setsid --fork containerd --config /run/lab/containerd.toml --root /var/lib/docker/containerd-root --state /run/containerd \
    --address /run/containerd/containerd.sock --log-level warn
fi
until [ -S /run/containerd/containerd.sock ]; do sleep 0.02; done
rm -f /run/docker.pid
exec dockerd "$@"
