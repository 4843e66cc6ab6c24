import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MachineFiles } from '../../../../edge-agent/sensors/machine-files.ts';

/** A board made of files below a directory of its own. */
export interface FakeBoard {
  readonly files: MachineFiles;
  put(path: string, text: string): void;
  /** Where a file of the board really is. */
  path(path: string): string;
  remove(): void;
}

/** Writes the files as recorded on a board. */
export function fakeBoard(recorded: Readonly<Record<string, string>>): FakeBoard {
  const root = mkdtempSync(join(tmpdir(), 'cox-board-'));
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  for (const [path, text] of Object.entries(recorded)) put(path, text);
  return {
    files: new MachineFiles(root),
    put,
    path: (path) => join(root, path),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A Raspberry Pi 4 with Raspberry Pi OS: cgroup v2, the memory controller off, one thermal zone, firmware throttling. */
export const PI4: Readonly<Record<string, string>> = {
  'proc/device-tree/model': 'Raspberry Pi 4 Model B Rev 1.4\0',
  'proc/device-tree/serial-number': '10000000abcdef01\0',
  'proc/stat':
    'cpu  4705 150 1120 1644150 520 0 180 0 0 0\ncpu0 1200 40 300 411000 130 0 50 0 0 0\nintr 114930548\nctxt 1990473\n',
  'proc/meminfo':
    'MemTotal:        3884336 kB\nMemFree:         2812516 kB\nMemAvailable:    3341668 kB\nBuffers:           45124 kB\nCached:           589232 kB\n',
  'proc/net/dev':
    'Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo: 1000000    100    0    0    0     0          0         0  1000000    100    0    0    0     0       0          0\n  eth0: 5000000   4000    0    0    0     0          0        10  2000000   3000    0    0    0     0       0          0\ndocker0:  999999    10    0    0    0     0          0         0   999999     10    0    0    0     0       0          0\n wlan0:    1000      5    0    0    0     0          0         0      500      5    0    0    0     0       0          0\n',
  'proc/loadavg': '0.08 0.03 0.01 1/245 13456\n',
  'proc/sys/kernel/pid_max': '32768\n',
  'proc/sys/kernel/threads-max': '28000\n',
  'proc/sys/kernel/random/boot_id': '0b3dd3b5-95d5-4dcf-a31e-58a8cbbde0f0\n',
  'proc/cgroups':
    '#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t60\t1\ncpu\t0\t60\t1\nmemory\t0\t60\t0\npids\t0\t60\t1\n',
  'sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io pids\n',
  'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
  'sys/class/thermal/thermal_zone0/temp': '48686\n',
  'sys/devices/platform/soc/soc:firmware/get_throttled': '50000\n',
  'boot/firmware/cmdline.txt':
    'console=serial0,115200 console=tty1 root=PARTUUID=4f5a-02 rootfstype=ext4 rootwait\n',
  'etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
};

/** A PC with cgroup v1, split controllers, a chipset zone before the processor's. */
export const PC_V1: Readonly<Record<string, string>> = {
  'proc/stat': 'cpu  100 0 100 800 0 0 0 0 0 0\n',
  'proc/meminfo': 'MemTotal:        8000000 kB\nMemAvailable:    6000000 kB\n',
  'proc/net/dev': '  eno1: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n',
  'proc/cgroups': '#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t5\t10\t1\n',
  'sys/fs/cgroup/cpuacct/cpuacct.usage': '1\n',
  'sys/class/thermal/thermal_zone0/type': 'acpitz\n',
  'sys/class/thermal/thermal_zone0/temp': '27800\n',
  'sys/class/thermal/thermal_zone1/type': 'x86_pkg_temp\n',
  'sys/class/thermal/thermal_zone1/temp': '61000\n',
};
