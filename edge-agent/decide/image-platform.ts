/** What the node can run. */
export interface NodePlatform {
  /** `linux`. */
  readonly os: string;
  /** Kubernetes' name of the architecture: `arm64`, `amd64`, `arm`, `386`. */
  readonly architecture: string;
  /** Of a 32-bit ARM board, `v6` or `v7`; absent when it is not known. */
  readonly variant?: string;
  /** Architectures that an emulator registered with the kernel runs. */
  readonly emulated: ReadonlySet<string>;
}

/** Architectures a processor also runs, beside its own. */
const ALSO: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };

/**
 * Why an image cannot run here, naming both platforms; undefined when it can, or when the image does not say what it is for.
 * `platform` is `arm64` or `arm/v7`, with `linux` understood. Pure; never throws.
 */
export function platformRefusal(image: string, platform: string, node: NodePlatform): string | undefined {
  const [architecture = '', variant] = platform.split('/');
  if (architecture === '' || runs(architecture, variant, node)) return undefined;
  const own = [node.os, node.architecture, ...(node.variant ? [node.variant] : [])].join('/');
  return `image "${image}" is for ${node.os}/${platform}, but this node is ${own}`;
}

function runs(architecture: string, variant: string | undefined, node: NodePlatform): boolean {
  if (node.emulated.has(architecture)) return true;
  if (ALSO[node.architecture]?.includes(architecture)) return true;
  if (architecture !== node.architecture) return false;
  if (architecture !== 'arm' || node.variant === undefined || variant === undefined) return true;
  return Number(variant.slice(1)) <= Number(node.variant.slice(1));
}

/** What QEMU calls architectures, in the names of its binfmt handlers. */
const QEMU: Readonly<Record<string, string>> = {
  aarch64: 'arm64',
  arm: 'arm',
  x86_64: 'amd64',
  i386: '386',
  riscv64: 'riscv64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
};

/** Architectures of the handlers registered with the kernel, by their names: `qemu-aarch64`, `FEX-x86_64`, `box64`. */
export function emulatedArchitectures(handlers: readonly string[]): Set<string> {
  const found = handlers.flatMap((name) => {
    if (name === 'box64' || name === 'rosetta') return ['amd64'];
    if (name === 'box86') return ['386'];
    return QEMU[name.replace(/^(qemu|FEX)-/i, '')] ?? [];
  });
  return new Set(found);
}
