import type { StreamEndpoint } from '../../kit/stream-endpoint.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { ExecRequest } from '../../protocol/wire/messages.ts';
import type { SessionChoice, SessionFlow, StreamContainer, StreamRuntime } from './ports.ts';
import { StreamRefusal } from './refusal.ts';
import { pump, type StreamPipe } from './stream-pipe.ts';

/** `kubectl exec`: runs a command and resolves with its exit code once its output has been sent. */
export async function serveExec(
  runtime: StreamRuntime,
  container: StreamContainer,
  request: ExecRequest | undefined,
  endpoint: StreamEndpoint,
  pipe: StreamPipe,
): Promise<StreamEnd> {
  const command = request?.command ?? [];
  if (request === undefined || command.length === 0) {
    throw new StreamRefusal('BadRequest', 'you must specify at least one command for the container');
  }
  const flow = await runtime.openExec(container.id, command, choiceOf(request, request.tty));
  return converse(flow, endpoint, pipe);
}

/** `kubectl attach`: joins the main process's streams until it ends or the peer leaves. */
export async function serveAttach(
  runtime: StreamRuntime,
  container: StreamContainer,
  request: ExecRequest | undefined,
  endpoint: StreamEndpoint,
  pipe: StreamPipe,
): Promise<StreamEnd> {
  if (request === undefined) throw new StreamRefusal('BadRequest', 'attach needs to say which streams');
  const choice = choiceOf({ ...request, stdin: request.stdin && container.stdin }, container.tty);
  return converse(await runtime.openAttach(container.id, choice), endpoint, pipe);
}

function choiceOf(request: ExecRequest, tty: boolean): SessionChoice {
  const { stdin, stdout, stderr } = request;
  // A terminal has one output.
  return { stdin, stdout, stderr: stderr && !tty, tty };
}

async function converse(flow: SessionFlow, endpoint: StreamEndpoint, pipe: StreamPipe): Promise<StreamEnd> {
  // Its own failures come as the end of the outputs; unheard, they would end the process.
  flow.stdin.on('error', () => flow.stdin.destroy());
  pipe.attach({
    input: flow.stdin,
    // A command that has just ended has no terminal any more.
    resize: (width, height) => void flow.resize(width, height).catch(() => undefined),
    close: () => flow.close(),
  });
  try {
    await Promise.all([pump(flow.stdout, endpoint, 'stdout'), pump(flow.stderr, endpoint, 'stderr')]);
  } catch (error) {
    if (!endpoint.closed) throw error;
  }
  if (endpoint.closed) return {};
  const exitCode = await flow.exitCode();
  flow.close();
  return exitCode === undefined ? {} : { exitCode };
}
