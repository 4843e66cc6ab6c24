import { createHash } from 'node:crypto';
import { join, tar } from './tar.ts';

/** Reference of the image every sandbox runs; the version rises when the program changes. */
export const SANDBOX_IMAGE = 'coxswain.dev/sandbox:1';

export type SandboxArchitecture = 'amd64' | 'arm64' | 'arm';

/** The image architecture of an engine that calls itself `x86_64`, `aarch64`, `armv7l` ...; undefined for others. */
export function sandboxArchitecture(engine: string): SandboxArchitecture | undefined {
  if (engine === 'x86_64' || engine === 'amd64' || engine === 'x64') return 'amd64';
  if (engine === 'aarch64' || engine === 'arm64') return 'arm64';
  return engine.startsWith('arm') ? 'arm' : undefined;
}

/** Little-endian 32-bit words. */
const words = (...values: number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  values.forEach((value, i) => {
    new DataView(bytes.buffer).setUint32(i * 4, value >>> 0, true);
  });
  return bytes;
};

/** struct sigaction with SIG_IGN and nothing else set; large enough for every architecture. */
const IGNORE = words(1, 0, 0, 0, 0, 0, 0, 0);

/**
 * The program: ignore SIGCHLD, so that the kernel reaps orphans when the pod shares its process namespace, then
 * sleep for ever. Machine code, because no compiler is on a board; the structure IGNORE follows the code.
 */
const CODE: Readonly<Record<SandboxArchitecture, Uint8Array>> = {
  amd64: Uint8Array.from([
    ...[0xb8, 13, 0, 0, 0], //               mov eax, rt_sigaction
    ...[0xbf, 17, 0, 0, 0], //               mov edi, SIGCHLD
    ...[0x48, 0x8d, 0x35, 19, 0, 0, 0], //   lea rsi, [rip + 19] = end of code
    ...[0x31, 0xd2], //                      xor edx, edx
    ...[0x41, 0xba, 8, 0, 0, 0], //          mov r10d, size of the mask
    ...[0x0f, 0x05], //                      syscall
    ...[0xb8, 34, 0, 0, 0], //               again: mov eax, pause
    ...[0x0f, 0x05], //                      syscall
    ...[0xeb, 0xf7], //                      jmp again
  ]),
  arm64: words(
    0xd28010c8, // mov x8, rt_sigaction (134)
    0xd2800220, // mov x0, SIGCHLD
    0x10000181, // adr x1, +48 = end of code
    0xd2800002, // mov x2, 0
    0xd2800103, // mov x3, size of the mask
    0xd4000001, // svc 0
    0xd2800928, // again: mov x8, ppoll (73)
    0xd2800000, // mov x0, 0
    0xd2800001, // mov x1, 0
    0xd2800002, // mov x2, 0
    0xd2800003, // mov x3, 0
    0xd4000001, // svc 0
    0x17fffffa, // b again
    0xd503201f, // nop
  ),
  arm: words(
    0xe3a070ae, // mov r7, rt_sigaction (174)
    0xe3a00011, // mov r0, SIGCHLD
    0xe28f1018, // add r1, pc, 24 = end of code
    0xe3a02000, // mov r2, 0
    0xe3a03008, // mov r3, size of the mask
    0xef000000, // svc 0
    0xe3a0701d, // again: mov r7, pause (29)
    0xef000000, // svc 0
    0xeafffffc, // b again
    0xe1a00000, // nop
  ),
};

/** A static executable of one read-only segment, for Linux. */
export function pauseProgram(architecture: SandboxArchitecture): Uint8Array {
  const code = join([CODE[architecture], IGNORE]);
  return architecture === 'arm' ? elf32(code) : elf64(code, architecture === 'amd64' ? 0x3e : 0xb7);
}

const BASE = 0x400000;
const IDENT = [0x7f, 0x45, 0x4c, 0x46];

function elf64(code: Uint8Array, machine: number): Uint8Array {
  const headBytes = 64 + 56;
  const head = new Uint8Array(headBytes);
  const view = new DataView(head.buffer);
  head.set([...IDENT, 2, 1, 1]);
  const half = (at: number, v: number): void => view.setUint16(at, v, true);
  const word = (at: number, v: number): void => view.setUint32(at, v, true);
  half(16, 2); // executable
  half(18, machine);
  word(20, 1);
  word(24, BASE + headBytes); // entry
  word(32, 64); // program headers
  half(52, 64);
  half(54, 56);
  half(56, 1);
  half(58, 64);
  word(64, 1); // PT_LOAD
  word(68, 5); // read, execute
  word(80, BASE);
  word(88, BASE);
  word(96, headBytes + code.length);
  word(104, headBytes + code.length);
  word(112, 0x1000);
  return join([head, code]);
}

function elf32(code: Uint8Array): Uint8Array {
  const headBytes = 52 + 32;
  const head = new Uint8Array(headBytes);
  const view = new DataView(head.buffer);
  head.set([...IDENT, 1, 1, 1]);
  const half = (at: number, v: number): void => view.setUint16(at, v, true);
  const word = (at: number, v: number): void => view.setUint32(at, v, true);
  half(16, 2);
  half(18, 0x28);
  word(20, 1);
  word(24, BASE + headBytes);
  word(28, 52);
  word(36, 0x05000000); // EABI version 5
  half(40, 52);
  half(42, 32);
  half(44, 1);
  half(46, 40);
  word(52, 1);
  word(60, BASE);
  word(64, BASE);
  word(68, headBytes + code.length);
  word(72, headBytes + code.length);
  word(76, 5);
  word(80, 0x1000);
  return join([head, code]);
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** An archive that `docker load` takes: one image of one layer with one file, the same bytes on every call. */
export function pauseImage(architecture: SandboxArchitecture): Uint8Array {
  const layer = tar([{ path: 'pause', content: pauseProgram(architecture), mode: 0o755 }]);
  const config = json({
    architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Entrypoint: ['/pause'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'coxswain' }],
  });
  const configName = `${sha256(config)}.json`;
  const manifest = json([{ Config: configName, RepoTags: [SANDBOX_IMAGE], Layers: ['layer.tar'] }]);
  return tar([
    { path: 'layer.tar', content: layer, mode: 0o644 },
    { path: configName, content: config, mode: 0o644 },
    { path: 'manifest.json', content: manifest, mode: 0o644 },
  ]);
}
