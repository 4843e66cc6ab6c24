import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';

/** Output of a container or command. Read both, or destroy both: one that is not read holds the other back. */
export interface Output {
  readonly stdout: Readable;
  readonly stderr: Readable;
}

const HEAD_BYTES = 8;
const STDERR = 2;

/**
 * Splits the engine's framed stream into stdout and stderr with back-pressure. Both end when the stream does and fail
 * when it fails. A terminal has no frames: then everything is stdout.
 */
export function demux(source: Readable, tty: boolean): Output {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const finish = (error?: Error): void => {
    for (const out of [stdout, stderr]) {
      if (error === undefined) out.end();
      else out.destroy(error);
    }
  };
  const gone = (): void => {
    if (stdout.destroyed && stderr.destroyed) source.destroy();
  };
  stdout.on('close', gone);
  stderr.on('close', gone);
  pump(source, tty, stdout, stderr).then(
    () => finish(),
    (error: unknown) => finish(error instanceof Error ? error : new Error(String(error))),
  );
  return { stdout, stderr };
}

async function pump(source: Readable, tty: boolean, stdout: PassThrough, stderr: PassThrough): Promise<void> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of source) {
    if (tty) {
      await write(stdout, chunk as Buffer);
      continue;
    }
    pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer]);
    while (pending.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + pending.readUInt32BE(4);
      if (pending.length < end) break;
      await write(pending[0] === STDERR ? stderr : stdout, pending.subarray(HEAD_BYTES, end));
      pending = pending.subarray(end);
    }
  }
}

async function write(out: PassThrough, chunk: Buffer): Promise<void> {
  if (out.destroyed || out.write(chunk)) return;
  await Promise.race([once(out, 'drain'), once(out, 'close')]);
}
