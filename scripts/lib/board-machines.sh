# shellcheck shell=bash
# board's machines: what qemu is told for each processor, and Debian's files for one that this machine cannot run itself.
# The caller sets ARCH, MODEL, DIR.

# machine NETWORK KERNEL_WORDS: puts the qemu command for ARCH into QEMU
machine() {
  local console=ttyS0
  case $ARCH in
    amd64)
      ensure_packages "is the virtual machine" qemu-system-x86_64:qemu-system-x86
      QEMU=(qemu-system-x86_64 -machine q35)
      if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then # some virtual machines show /dev/kvm and cannot really
        QEMU+=(-accel kvm -cpu host)
      else
        QEMU+=(-accel "tcg,thread=multi" -cpu Nehalem)
      fi
      ;;
    arm64)
      ensure_packages "is the virtual machine" qemu-system-aarch64:qemu-system-arm
      console=ttyAMA0
      QEMU=(qemu-system-aarch64 -machine virt -accel "tcg,thread=multi" -cpu cortex-a72) # the core of a Raspberry Pi 4
      ;;
    *) die "--arch is amd64 or arm64" ;;
  esac
  [[ ${QEMU[*]} == *kvm* ]] || say "without hardware help: slow"
  QEMU+=(-smp "${BOARD_CPUS:-2}" -m "${BOARD_MEM:-1536M}")
  [ -z "$MODEL" ] || tell_model
  QEMU+=(-kernel "$DIR/vmlinuz" -initrd "$DIR/initrd" -append "root=LABEL=board rw console=$console $2"
    -drive "file=$DIR/disk.qcow2,if=virtio,format=qcow2" -device virtio-rng-pci -netdev "$1" -device "virtio-net-pci,netdev=n0")
}

# tell_model: the board's name in the device tree, from which the agent picks its profile
tell_model() {
  ensure_packages "names the board" fdtput:device-tree-compiler
  "${QEMU[@]}" -machine "dumpdtb=$DIR/board.dtb" -display none >/dev/null 2>&1 || true
  fdtput -t s "$DIR/board.dtb" / model "$MODEL" || die "qemu gave no device tree"
  QEMU+=(-dtb "$DIR/board.dtb")
}

# make_root ROOT PACKAGES: Debian 12 for ARCH
make_root() {
  if [ "$ARCH" = "$(dpkg --print-architecture)" ]; then
    debootstrap --arch "$ARCH" --variant=minbase --include="$2" bookworm "$1"
  else
    ensure_packages "runs the other processor's programs" qemu-aarch64-static:qemu-user-static
    debootstrap --arch "$ARCH" --foreign --variant=minbase --include="$2" bookworm "$1" && small_initrd "$1" &&
      in_root "$1" /debootstrap/debootstrap --second-stage
  fi
}

small_initrd() { # only what finds the disk: emulated, the usual one of all modules takes half an hour to make
  mkdir -p "$1"/etc/initramfs-tools/conf.d "$1"/usr/share/initramfs-tools/modules.d
  echo MODULES=list >"$1/etc/initramfs-tools/conf.d/board"
  printf '%s\n' virtio_pci virtio_blk ext4 >"$1/usr/share/initramfs-tools/modules.d/board"
}

# in_root ROOT COMMAND...: run it in there, also when it is of another processor
in_root() {
  if chroot "$1" /bin/true 2>/dev/null; then chroot "$@"; else emulated "$@"; fi
}

# emulated ROOT COMMAND...: by an emulator that only a user namespace of its own knows, so that nothing changes for this machine
emulated() {
  local pid code=0
  # shellcheck disable=SC2016 # for the inner shells
  unshare --user -- bash -c 'until [ "$(id -u)" = 0 ]; do sleep 0.1; done; exec unshare --mount --pid --fork --mount-proc bash -c "$@"' - '
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc && echo "$0" >/proc/sys/fs/binfmt_misc/register || exit 125
    container=lxc exec chroot "$@" # debootstrap makes no devices in one, and may not here' "$(arm64_programs)" "$@" &
  pid=$!
  wait_until 5000 has_own_users $pid
  echo '0 0 4294967295' | tee /proc/$pid/uid_map >/proc/$pid/gid_map
  wait $pid || code=$?
  [ $code != 125 ] || die "programs of $ARCH do not run here: that needs Linux 6.7, or apt-get install binfmt-support qemu-user-static"
  return $code
}
has_own_users() { [ "$(readlink "/proc/$1/ns/user")" != "$(readlink /proc/self/ns/user)" ]; }

arm64_programs() { # as binfmt_misc takes it: the head of an ELF file, the bits that count, who runs it, opened once for all roots
  local head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  local bits='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  echo ":arm64:M::$head:$bits:$(command -v qemu-aarch64-static):F"
}
