# shellcheck shell=bash
# What every new disk starts as, made once and kept: the sample images and an empty ext4. The key is a hash of the recipe
# and of the busybox it was made from, so a changed recipe makes a new seed.

seed_key() {
  { cat "$HERE/lib/busybox-image.sh" "$HERE/lab.d/seed.sh" && sha256sum "$(command -v busybox)" && echo "$LAB_DISK"; } |
    sha256sum | cut -c1-16
}
seed_dir() { echo "$LAB_CACHE/seed-$(seed_key)"; }
seed_images() { echo "$(seed_dir)/images.tar"; }
seed_disk() { echo "$(seed_dir)/disk.img"; }
seed_folder() { echo "$(seed_dir)/disk"; }

seed() {
  local dir
  dir=$(seed_dir)
  [ ! -f "$dir/done" ] || return 0
  (
    flock 8 # two labs coming up at once: the second waits and finds it done
    [ ! -f "$dir/done" ] || exit 0
    say "making the sample images and the disk of a new host (once)"
    rm -rf "$dir"
    find "$LAB_CACHE" -maxdepth 1 -name 'seed-*' -mtime +7 -exec rm -rf {} + # of recipes long gone
    mkdir -p "$dir/disk"/{docker,etc-docker,coxswain}
    busybox_archive "$dir/images.tar" busybox:latest=1 busybox:2=2
    truncate -s "$(numfmt --from=iec "$(tr '[:lower:]' '[:upper:]' <<<"$LAB_DISK")")" "$dir/disk.img"
    # everything initialised now, so that an idle host writes nothing later
    mkfs.ext4 -q -F -m 0 -J size=32 -E lazy_itable_init=0,lazy_journal_init=0 -d "$dir/disk" "$dir/disk.img"
    : >"$dir/done"
  ) 8>"$LAB_CACHE/seed.lock"
}
