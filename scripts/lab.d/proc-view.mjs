// Renders what /proc of every host of one lab says about CPU and memory, so that programs in a host read ordinary files
// and see the board, not the machine under it. One process for all hosts, twice a second.
//
//   node proc-view.mjs STATE_DIR PREFIX CGROUP_VERSION CPUS MEMORY_BYTES LOAD_SCALE
//
// Everything is derived from the kernel's accounts of the host's cgroup. CPU time is shown one to one, but for the load
// account (`lab load`), whose time counts LOAD_SCALE-fold: see the head of scripts/lab. A host never shows more than CPUS.
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';

const [stateDir, prefix, version, cpusText, memoryText, scaleText] = process.argv.slice(2);
const cpus = Number(cpusText);
const memoryKb = Math.floor(Number(memoryText) / 1024);
const loadScale = Number(scaleText);
const PERIOD_MS = 500;
const FIELDS = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal', 'guest', 'guest_nice'];

const v1 = (controller, host, file) => `/sys/fs/cgroup/${controller}/${prefix}/${host}/${file}`;
const v2 = (host, file) => `/sys/fs/cgroup/${prefix}/${host}/${file}`;

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a host going down, or a kernel without this account
  }
}

function table(text) {
  const values = new Map();
  for (const line of text.split('\n')) {
    const [key, value] = line.split(/[\s:]+/);
    values.set(key, Number(value));
  }
  return values;
}

/** CPU seconds of a cgroup since it was made: all of it, and the share spent in the kernel (0..1). */
function cpuOf(host, sub) {
  if (version === '2') {
    const stat = table(read(v2(host, `${sub}cpu.stat`)));
    const all = stat.get('usage_usec') ?? 0;
    return { seconds: all / 1e6, systemRatio: all > 0 ? (stat.get('system_usec') ?? 0) / all : 0 };
  }
  const stat = table(read(v1('cpuacct', host, `${sub}cpuacct.stat`)));
  const ticks = (stat.get('user') ?? 0) + (stat.get('system') ?? 0);
  return {
    seconds: Number(read(v1('cpuacct', host, `${sub}cpuacct.usage`))) / 1e9,
    systemRatio: ticks > 0 ? (stat.get('system') ?? 0) / ticks : 0,
  };
}

/** Memory of a host in kB: in use, and the part of it that is page cache the kernel would give back. */
function memoryOf(host) {
  const isV2 = version === '2';
  const used = Number(read(isV2 ? v2(host, 'memory.current') : v1('memory', host, 'memory.usage_in_bytes')));
  const stat = table(read(isV2 ? v2(host, 'memory.stat') : v1('memory', host, 'memory.stat')));
  const file = (name) => stat.get(isV2 ? name : `total_${name}`) ?? 0;
  const cache = file('inactive_file') + file('active_file');
  return { usedKb: used / 1024, cacheKb: cache / 1024, reclaimableKb: (file('inactive_file') + file('active_file') / 2) / 1024 };
}

function meminfo(host) {
  const { usedKb, cacheKb, reclaimableKb } = memoryOf(host);
  const free = Math.max(0, Math.floor(memoryKb - usedKb));
  const shown = {
    MemTotal: memoryKb,
    MemFree: free,
    MemAvailable: Math.min(memoryKb, Math.floor(free + reclaimableKb)),
    Buffers: 0,
    Cached: Math.floor(cacheKb),
    SwapCached: 0,
    SwapTotal: 0,
    SwapFree: 0,
  };
  return Object.entries(shown)
    .map(([key, kb]) => `${`${key}:`.padEnd(16)}${String(kb).padStart(8)} kB\n`)
    .join('');
}

/** One host from boot to power-off: the open files, the counters shown so far, the load averages. */
class HostView {
  constructor(host, pid) {
    this.host = host;
    this.pid = pid;
    this.bootedAt = Date.now();
    this.lastAt = performance.now();
    this.last = { host: 0, load: 0 };
    this.user = 0;
    this.system = 0;
    this.idle = 0;
    this.averages = [0, 0, 0];
    const folder = `/proc/${pid}/root/run/lab/proc`;
    this.files = Object.fromEntries(['stat', 'meminfo', 'loadavg', 'uptime'].map((f) => [f, openSync(`${folder}/${f}`, 'r+')]));
    this.resume(table(readFileSync(`${folder}/stat`, 'utf8')).get('btime'), readFileSync(`${folder}/stat`, 'utf8'));
  }

  /** Counters must never fall: a renderer started again goes on from what the files say. */
  resume(btime, text) {
    const fields = (text.split('\n')[0] ?? '').split(/\s+/).slice(1).map(Number);
    this.user = (fields[0] ?? 0) / 100;
    this.system = (fields[2] ?? 0) / 100;
    this.idle = (fields[3] ?? 0) / 100;
    if (btime) this.bootedAt = btime * 1000;
    if (this.user + this.idle === 0) return; // a fresh boot: its cgroup began at zero as well
    this.last = { host: cpuOf(this.host, '').seconds, load: cpuOf(this.host, 'load/').seconds };
  }

  turn(machine) {
    const now = performance.now();
    const passed = (now - this.lastAt) / 1000;
    const all = cpuOf(this.host, '');
    const load = cpuOf(this.host, 'load/').seconds;
    const loadSpent = Math.max(0, load - this.last.load);
    const otherSpent = Math.max(0, all.seconds - this.last.host - loadSpent);
    const busy = Math.min(passed * cpus, otherSpent + loadSpent * loadScale);
    const system = Math.min(busy, otherSpent * all.systemRatio);
    this.user += busy - system;
    this.system += system;
    this.idle += passed * cpus - busy;
    this.averages = [60, 300, 900].map((span, i) => {
      const keep = Math.exp(-passed / span);
      return this.averages[i] * keep + (busy / passed) * (1 - keep);
    });
    this.lastAt = now;
    this.last = { host: all.seconds, load };
    this.write('stat', this.stat(machine), 2048);
    this.write('meminfo', meminfo(this.host), 1024);
    const running = Math.round(busy / passed);
    this.write('loadavg', `${this.averages.map((a) => a.toFixed(2)).join(' ')} ${running}/64 1\n`, 64);
    const upSeconds = (Date.now() - this.bootedAt) / 1000;
    this.write('uptime', `${upSeconds.toFixed(2)} ${this.idle.toFixed(2)}\n`, 64);
  }

  stat(machine) {
    const line = (name, share) => {
      const shown = { user: this.user, system: this.system, idle: this.idle };
      return `${name} ${FIELDS.map((f) => Math.floor(((shown[f] ?? 0) * 100) / share)).join(' ')}\n`;
    };
    const each = Array.from({ length: cpus }, (_, n) => line(`cpu${n}`, cpus)).join('');
    return `${line('cpu ', 1)}${each}btime ${Math.floor(this.bootedAt / 1000)}\n${machine}`;
  }

  /** One write over the old text, padded to one size: a reader never meets a shortened file. */
  write(name, text, size) {
    writeSync(this.files[name], text.endsWith('\n') ? `${text.slice(0, -1).padEnd(size - 1)}\n` : text, 0);
  }

  close() {
    for (const fd of Object.values(this.files)) closeSync(fd);
  }
}

const views = new Map();

function turn() {
  // what a board has no own account of: interrupts, switches, forks of the whole machine
  const machine = read('/proc/stat').split('\n').filter((l) => /^(ctxt|processes|procs_)/.test(l)).join('\n');
  const seen = new Set();
  for (const host of readdirSync(stateDir).filter((name) => /^worker-\d+$/.test(name))) {
    const pid = read(`${stateDir}/${host}/init.pid`).trim();
    if (pid === '') continue;
    seen.add(host);
    try {
      if (views.get(host)?.pid !== pid) {
        views.get(host)?.close();
        views.delete(host);
        views.set(host, new HostView(host, pid));
      }
      views.get(host).turn(`${machine}\n`);
    } catch {
      views.delete(host); // booting or going down: the next turn looks again
    }
  }
  for (const host of [...views.keys()].filter((name) => !seen.has(name))) {
    views.get(host).close();
    views.delete(host);
  }
}

setInterval(() => {
  try {
    turn();
  } catch {
    process.exit(0); // the lab's folder is gone
  }
}, PERIOD_MS);
