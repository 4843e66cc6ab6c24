import { emulatedArchitectures, type NodePlatform } from '../decide/image-platform.ts';
import type { MachineFiles } from './machine-files.ts';

const BINFMT = 'proc/sys/fs/binfmt_misc';
const KUBERNETES_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Kubernetes' name of an architecture as Node names it. */
export function kubernetesArch(arch: string): string {
  return KUBERNETES_ARCH[arch] ?? arch;
}

/**
 * What images can run here. `arch` is Node's name of it; `machine` is the kernel's (`armv7l`, `aarch64`): a 32-bit agent below a
 * 64-bit kernel runs what the kernel does.
 */
export function readPlatform(
  files: MachineFiles,
  machine: { readonly platform: string; readonly arch: string; readonly machine: string },
): NodePlatform {
  const handlers = files
    .list(BINFMT)
    .filter((name) => files.text(`${BINFMT}/${name}`)?.startsWith('enabled') === true);
  const architecture =
    machine.machine === 'aarch64'
      ? 'arm64'
      : machine.machine === 'x86_64'
        ? 'amd64'
        : kubernetesArch(machine.arch);
  const variant = /^armv([67])/.exec(machine.machine)?.[1];
  return {
    os: machine.platform,
    architecture,
    ...(architecture === 'arm' && variant !== undefined ? { variant: `v${variant}` } : {}),
    emulated: emulatedArchitectures(handlers),
  };
}
