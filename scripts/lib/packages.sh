# shellcheck shell=bash
# Installs what is missing, and only that, from the distribution where it has it. Uses sudo when something is missing and we
# are not root.

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root and there is no sudo: $*"
  fi
}

# ensure_packages WHY COMMAND:PACKAGE...: install the packages whose command is not there
ensure_packages() {
  local why=$1 pair missing=''
  shift
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || [[ " $missing " == *" ${pair#*:} "* ]] || missing+=" ${pair#*:}"
  done
  # shellcheck disable=SC2086 # one package a word
  [ -z "$missing" ] || apt_install "$why" $missing
}

apt_install() { # apt_install WHY PACKAGE...
  local why=$1
  shift
  command -v apt-get >/dev/null || die "$why needs: $*. This is no Debian, Ubuntu or Raspberry Pi OS: install them by hand"
  say "installing $* ($why)"
  refresh_lists
  as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
    die "apt-get install $* failed. Is a package mirror reachable?"
}

LISTS_FRESH=''
refresh_lists() { # once a run: a fresh image has no lists, an old one has stale ones
  [ -z "$LISTS_FRESH" ] || return 0
  as_root apt-get update -qq >/dev/null 2>&1 || say "apt-get update failed; trying with the lists that are here"
  LISTS_FRESH=1
}

# candidate_of PACKAGE: the version apt would install; empty when there is none, also for a name that others only mention
candidate_of() { LC_ALL=C apt-cache policy "$1" | awk '/Candidate:/ && $2 != "(none)" { print $2 }'; }

node_is_new() { # 20.19 or later, and npm with it
  command -v node >/dev/null && command -v npm >/dev/null &&
    node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'
}

# ensure_node: Node 20.19 or later. Debian 12 and Ubuntu 22.04 ship an older one, so then: the official build with its checksum,
# or, where only the npm registry is reachable, the same build as an npm package.
ensure_node() {
  node_is_new && return
  command -v apt-get >/dev/null || die "Node 20.19 or later is needed: https://nodejs.org"
  refresh_lists
  local candidate
  candidate=$(candidate_of nodejs)
  if dpkg --compare-versions "${candidate#*:}" ge 20.19 2>/dev/null; then
    apt_install "runs Coxswain" nodejs
    command -v npm >/dev/null || apt_install "runs Coxswain" npm
  else
    node_from_upstream || node_from_npm || die "Node 20.19 or later cannot be had here; install it by hand: https://nodejs.org"
  fi
  hash -r
  node_is_new || die "Node is still too old: $(node -v). Which one is first in PATH: $(command -v node)"
}

node_arch() {
  case $(dpkg --print-architecture) in amd64) echo x64 ;; arm64) echo arm64 ;; armhf) echo armv7l ;; *) return 1 ;; esac
}
NODE_HOME=/usr/local/lib/coxswain-node

node_from_upstream() (
  base=https://nodejs.org/dist/latest-v20.x
  ensure_packages "fetches Node" curl:curl xz:xz-utils update-ca-certificates:ca-certificates
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  say "fetching Node 20 from nodejs.org"
  curl -fsSL -m 20 "$base/SHASUMS256.txt" -o "$work/sums" 2>/dev/null || return 1
  name=$(awk -v end="-linux-$(node_arch).tar.xz" 'index($2, end) { print $2 }' "$work/sums")
  (cd "$work" && curl -fsSL -m 600 "$base/$name" -o "$name" && grep " $name\$" sums | sha256sum -c --quiet) || return 1
  as_root mkdir -p $NODE_HOME
  as_root tar -xJf "$work/$name" -C $NODE_HOME --strip-components=1 || return 1
  as_root ln -sf $NODE_HOME/bin/{node,npm,npx} /usr/local/bin/
)

node_from_npm() { # with an npm of its own, since the distribution's looks for its parts where only the distribution's Node does
  local arch packages=$NODE_HOME/node_modules
  arch=$(node_arch) || return 1
  command -v npm >/dev/null || apt_install "fetches Node" npm
  say "nodejs.org does not answer; fetching Node 20 from the npm registry"
  as_root mkdir -p $NODE_HOME
  as_root npm install --loglevel=error --ignore-scripts --no-audit --no-fund --no-update-notifier --prefix $NODE_HOME \
    "node-linux-$arch@^20.19.0" npm@10 >&2 || return 1
  as_root ln -sf "$packages/node-linux-$arch/bin/node" /usr/local/bin/node
  as_root ln -sf "$packages/npm/bin/npm-cli.js" /usr/local/bin/npm
  as_root ln -sf "$packages/npm/bin/npx-cli.js" /usr/local/bin/npx
}

# ensure_kubectl: of any recent version. Ubuntu has no package of it, so there: the snap, the official build with its checksum, or,
# where only package mirrors are reachable, the one of Debian
ensure_kubectl() {
  command -v kubectl >/dev/null && return
  command -v apt-get >/dev/null || die "kubectl is needed: https://kubernetes.io/docs/tasks/tools"
  refresh_lists
  if [ -n "$(candidate_of kubernetes-client)" ]; then
    apt_install "the user's tool" kubernetes-client
  elif command -v snap >/dev/null && as_root snap install kubectl --classic >/dev/null 2>&1; then
    hash -r
  else
    kubectl_from_upstream || kubectl_from_debian ||
      die "kubectl cannot be had here; install it by hand: https://kubernetes.io/docs/tasks/tools"
  fi
}

kubectl_from_upstream() (
  base=https://dl.k8s.io/release
  ensure_packages "fetches kubectl" curl:curl update-ca-certificates:ca-certificates
  say "fetching kubectl from dl.k8s.io"
  version=$(curl -fsSL -m 20 $base/stable.txt 2>/dev/null) || return 1
  url=$base/$version/bin/linux/$(dpkg --print-architecture | sed s/armhf/arm/)/kubectl
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  curl -fsSL -m 600 "$url" -o "$work/kubectl" && curl -fsSL -m 20 "$url.sha256" -o "$work/sum" || return 1
  echo "$(cat "$work/sum")  $work/kubectl" | sha256sum -c --quiet || return 1
  as_root install -m 755 "$work/kubectl" /usr/local/bin/kubectl
)

# kubectl_from_debian: one static program, so Debian's runs on Ubuntu as well. apt checks Debian's signatures; its own lists stay as
# they are. Of the releases the newest whose keys this system has.
kubectl_from_debian() {
  local work release keys=/usr/share/keyrings/debian-archive-keyring.gpg
  (apt_install "checks Debian's packages" debian-archive-keyring) || return 1
  say "dl.k8s.io does not answer; fetching kubectl from Debian"
  for release in bookworm bullseye; do
    work=$(mktemp -d)
    echo "deb [signed-by=$keys] http://deb.debian.org/debian $release main" >"$work/list"
    if unpack_from "$work" kubernetes-client >/dev/null 2>&1; then
      as_root install -m 755 "$work/files/usr/bin/kubectl" /usr/local/bin/kubectl
    fi
    as_root rm -rf "$work"
    ! command -v kubectl >/dev/null || return 0
  done
  return 1
}

# unpack_from WORKDIR PACKAGE: into WORKDIR/files, from what WORKDIR/list names alone
unpack_from() (
  cd "$1" || return
  chmod 755 . # apt fetches as a user of its own
  mkdir -p state cache files
  apt=(apt-get -qq -o "Dir::Etc::SourceList=$1/list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State=$1/state" -o "Dir::Cache=$1/cache"
    -o Dir::State::status=/dev/null)
  as_root "${apt[@]}" update && as_root "${apt[@]}" download "$2" && dpkg-deb -x "$2"_*.deb files
)

# ensure_npm_packages REPO: exactly what the lockfile says, no install scripts; nothing when that is there already
ensure_npm_packages() {
  local mark=$1/node_modules/.package-lock.json
  [ ! -L "$1/node_modules" ] || return 0 # somebody shares it between checkouts
  [ -f "$mark" ] && [ ! "$1/package-lock.json" -nt "$mark" ] && return
  say "installing the npm packages of the lockfile"
  (cd "$1" && as_owner "$1" npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2) ||
    die "npm ci failed. Is the npm registry reachable?"
}
