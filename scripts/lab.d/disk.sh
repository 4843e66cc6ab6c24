# shellcheck shell=bash
# A host's disk: a loop-mounted ext4 that can fill up and that loses what was not synced when the power goes. Without loop
# devices it is a folder, which can do neither.

# disk_mode: loop or folder, found out once a lab
disk_mode() {
  [ -f "$LAB_DIR/disk-mode" ] || {
    local probe=$LAB_DIR/probe.img device
    truncate -s 1M "$probe"
    if device=$(losetup --find --show "$probe" 2>/dev/null); then
      losetup -d "$device"
      echo loop >"$LAB_DIR/disk-mode"
    else
      say "no loop devices here: disks are plain folders, so a power cut keeps unsynced data and a disk cannot fill up"
      echo folder >"$LAB_DIR/disk-mode"
    fi
    rm -f "$probe"
  }
  cat "$LAB_DIR/disk-mode"
}

# disk_make HOST: a copy of the seed, unless the host has its disk already
disk_make() {
  local dir=$LAB_DIR/$1
  [ ! -e "$dir/disk.img" ] && [ ! -d "$dir/disk" ] || return 0
  if [ "$(disk_mode)" = loop ]; then
    cp --sparse=always --reflink=auto "$(seed_disk)" "$dir/disk.img.new"
    mv "$dir/disk.img.new" "$dir/disk.img"
  else
    cp -a "$(seed_folder)" "$dir/disk.new"
    mv "$dir/disk.new" "$dir/disk"
  fi
}

# disk_free HOST: true when no loop device holds the disk any more; else the next boot would mount a dead file system
disk_free() { [ ! -e "$LAB_DIR/$1/disk.img" ] || [ -z "$(losetup -j "$LAB_DIR/$1/disk.img")" ]; }

# disk_release HOST: after the host's last process went; the mount goes with its namespace
disk_release() {
  wait_until 10000 disk_free "$1" && return
  losetup -j "$LAB_DIR/$1/disk.img" | cut -d: -f1 | xargs -r losetup -d 2>/dev/null || true
  wait_until 1000 disk_free "$1" || say "a loop device still holds the disk of $1"
}
