import type { Duplex, Readable } from 'node:stream';
import type Docker from 'dockerode';
import { withDeadline } from '../../kit/deadline.ts';
import { demux } from './demux.ts';
import { toRuntimeError } from './docker-errors.ts';
import type { ExecOutcome } from './engine.ts';
import type { LogOptions, LogSession, Session, SessionOptions } from './streams.ts';

/** Lines looked at for the last words of a container; their bytes are bounded by the caller. */
const TAIL_LINES = 80;

/** Runs a command to its end. What it leaves running after the time limit the engine cannot stop. */
export async function runCommand(
  docker: Docker,
  id: string,
  command: readonly string[],
  options: { readonly timeoutMs: number; readonly maxBytes: number },
  signal?: AbortSignal,
): Promise<ExecOutcome> {
  return withDeadline(options.timeoutMs, signal, async (limit) => {
    const exec = await docker.getContainer(id).exec({
      Cmd: [...command],
      AttachStdout: true,
      AttachStderr: true,
      abortSignal: limit,
    });
    const stream = (await exec.start({ hijack: true, abortSignal: limit })) as unknown as Readable;
    const output = await collect(stream, options.maxBytes, limit);
    const info = await exec.inspect({ abortSignal: limit });
    return { exitCode: info.ExitCode ?? -1, output };
  });
}

async function collect(stream: Readable, maxBytes: number, signal: AbortSignal): Promise<string> {
  const stop = (): void => {
    stream.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    const { stdout, stderr } = demux(stream, false);
    const chunks: Buffer[] = [];
    let size = 0;
    const take = async (part: Readable): Promise<void> => {
      for await (const chunk of part) {
        if (size >= maxBytes) continue;
        chunks.push(chunk as Buffer);
        size += (chunk as Buffer).length;
      }
    };
    await Promise.all([take(stdout), take(stderr)]);
    return Buffer.concat(chunks).subarray(0, maxBytes).toString();
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** The end of the container's output, both streams together. */
export async function tailLog(
  docker: Docker,
  id: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<string> {
  const log = (await docker.getContainer(id).logs({
    follow: false,
    stdout: true,
    stderr: true,
    tail: TAIL_LINES,
    ...(signal ? { abortSignal: signal } : {}),
  })) as unknown as Buffer;
  return unframe(log).subarray(-maxBytes).toString();
}

/** A whole framed log without its frames. */
function unframe(log: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 8 <= log.length && (log[at] ?? 255) <= 2) {
    const end = at + 8 + log.readUInt32BE(at + 4);
    parts.push(log.subarray(at + 8, end));
    at = end;
  }
  return at === 0 ? log : Buffer.concat(parts);
}

/** The container's log as a stream. dockerode would read a log that is not followed into memory as a whole. */
export async function logSession(
  docker: Docker,
  id: string,
  options: LogOptions,
  signal?: AbortSignal,
): Promise<LogSession> {
  const query = {
    follow: options.follow,
    stdout: true,
    stderr: true,
    timestamps: options.timestamps,
    ...(options.tailLines === undefined ? {} : { tail: options.tailLines }),
    ...(options.sinceMs === undefined ? {} : { since: (options.sinceMs / 1000).toFixed(9) }),
  };
  const source = await new Promise<Readable>((resolve, reject) => {
    docker.modem.dial(
      {
        path: `/containers/${id}/logs?`,
        method: 'GET',
        isStream: true,
        statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
        options: query,
        ...(signal ? { abortSignal: signal } : {}),
      },
      (error, stream) => (error ? reject(error) : resolve(stream as Readable)),
    );
  });
  const { stdout, stderr } = demux(source, options.tty);
  return { stdout, stderr, close: () => source.destroy() };
}

/** A command with its streams; the engine forgets it when it has ended and was inspected. */
export async function execSession(
  docker: Docker,
  id: string,
  command: readonly string[],
  options: SessionOptions,
): Promise<Session> {
  const exec = await docker.getContainer(id).exec({
    Cmd: [...command],
    AttachStdin: options.stdin,
    AttachStdout: options.stdout,
    AttachStderr: options.stderr && !options.tty,
    Tty: options.tty,
  });
  const socket = (await exec.start({ hijack: true, stdin: true, Tty: options.tty })) as Duplex;
  return session(socket, options, {
    resize: (columns, rows) => exec.resize({ w: columns, h: rows }),
    exitCode: async () => (await exec.inspect()).ExitCode ?? undefined,
  });
}

/** The main process's streams, from now on. */
export async function attachSession(docker: Docker, id: string, options: SessionOptions): Promise<Session> {
  const container = docker.getContainer(id);
  const socket = (await container.attach({
    stream: true,
    hijack: true,
    stdin: options.stdin,
    stdout: options.stdout,
    stderr: options.stderr && !options.tty,
  })) as unknown as Duplex;
  return session(socket, options, {
    resize: (columns, rows) => container.resize({ w: columns, h: rows }),
    exitCode: async () => {
      const { State: state } = await container.inspect();
      return state.Running ? undefined : state.ExitCode;
    },
  });
}

interface Controls {
  readonly resize: (columns: number, rows: number) => Promise<unknown>;
  readonly exitCode: () => Promise<number | undefined>;
}

function session(socket: Duplex, options: SessionOptions, controls: Controls): Session {
  const { stdout, stderr } = demux(socket, options.tty);
  const mapped = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      throw toRuntimeError(error, 'exec');
    }
  };
  return {
    stdin: socket,
    stdout,
    stderr,
    resize: (columns, rows) => mapped(async () => void (await controls.resize(columns, rows))),
    exitCode: () => mapped(controls.exitCode),
    close: () => socket.destroy(),
  };
}
