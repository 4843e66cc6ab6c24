# shellcheck shell=bash
# Makes the sample image without a registry and without an engine: the distribution's dynamic busybox with its
# libraries, written as an archive that `docker load` takes. The same input gives the same image id everywhere.

# installed_dynamic_busybox: its path; fails where there is none, or only the static one, as on Ubuntu
installed_dynamic_busybox() {
  local found
  found=$(command -v busybox) && ldd "$found" >/dev/null 2>&1 && readlink -f "$found"
}

# find_dynamic_busybox WORKDIR: path of a dynamic busybox. Where none is installed the package is unpacked beside, not installed: the
# static one excludes it, and with it the boot files (initramfs) would be made anew, which takes a small board minutes.
find_dynamic_busybox() {
  local found
  ! installed_dynamic_busybox || return 0
  (cd "$1" && apt-get download busybox >/dev/null 2>&1 && dpkg-deb -x busybox_*.deb unpacked) || true
  found=$(find "$1/unpacked" -path '*/bin/busybox' -type f 2>/dev/null | head -1)
  [ -n "$found" ] || found=$(command -v busybox || true)
  [ -n "$found" ] || die "no busybox here and its package cannot be had: apt-get install busybox"
  ldd "$found" >/dev/null 2>&1 || say "only a static busybox is to be had: names will not resolve in containers"
  readlink -f "$found"
}

# busybox_root BUSYBOX DIR: the file tree all versions share
busybox_root() {
  local busybox=$1 root=$2 applet lib by_name
  mkdir -p "$root"/{bin,etc,tmp,www,root,proc,sys,dev,var,run,usr}
  chmod 1777 "$root/tmp"
  cp "$busybox" "$root/bin/busybox"
  chmod 755 "$root/bin/busybox"
  for applet in $("$busybox" --list); do
    [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"
  done
  ln -s bin "$root/sbin"
  ln -s ../bin "$root/usr/bin"
  ln -s ../bin "$root/usr/sbin"
  # the loader, what ldd names, and what libc opens by name at run time to look names up
  for lib in $(ldd "$busybox" 2>/dev/null | grep -o '/[^ )]*'); do
    copy_lib "$lib" "$root"
    for by_name in "$(dirname "$lib")"/libnss_{files,dns}.so.2; do [ ! -e "$by_name" ] || copy_lib "$by_name" "$root"; done
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
}

copy_lib() {
  [ -e "$2$1" ] && return
  mkdir -p "$2$(dirname "$1")"
  cp -L "$1" "$2$1"
}

# version_root VERSION DIR: the small tree that tells one version from the other
version_root() {
  mkdir -p "$2/www"
  printf '%s\n' "$1" >"$2/version"
  printf 'hello from busybox:%s\n' "$1" >"$2/www/index.html"
}

# layer_of DIR OUT: one layer as tar; prints its digest
layer_of() {
  tar -C "$1" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$2" .
  sha256sum "$2" | cut -d' ' -f1
}

# busybox_archive OUT TAG=VERSION...: an archive for `docker load`, e.g. busybox_archive x.tar busybox:latest=1
busybox_archive() {
  local out=$1 work base busybox arch pair version digest entries=''
  shift
  work=$(mktemp -d)
  busybox=$(find_dynamic_busybox "$work")
  mkdir -p "$work/archive/base"
  busybox_root "$busybox" "$work/root"
  base=$(layer_of "$work/root" "$work/archive/base/layer.tar")
  arch=$(dpkg --print-architecture)
  [ "$arch" != armhf ] || arch=arm
  for pair in "$@"; do
    version=${pair#*=}
    version_root "$version" "$work/v$version"
    mkdir -p "$work/archive/v$version"
    digest=$(layer_of "$work/v$version" "$work/archive/v$version/layer.tar")
    cat >"$work/archive/v$version.json" <<JSON
{"architecture":"$arch","os":"linux","created":"1970-01-01T00:00:00Z",
"config":{"Env":["PATH=/bin","VERSION=$version"],"Cmd":["sh"]},
"rootfs":{"type":"layers","diff_ids":["sha256:$base","sha256:$digest"]},
"history":[{"created":"1970-01-01T00:00:00Z"},{"created":"1970-01-01T00:00:00Z"}]}
JSON
    entries+="${entries:+,}{\"Config\":\"v$version.json\",\"RepoTags\":[\"${pair%%=*}\"],"
    entries+="\"Layers\":[\"base/layer.tar\",\"v$version/layer.tar\"]}"
  done
  printf '[%s]\n' "$entries" >"$work/archive/manifest.json"
  tar -C "$work/archive" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$out.new" .
  mv "$out.new" "$out"
  rm -rf "$work"
}
