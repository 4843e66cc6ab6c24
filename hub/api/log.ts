import type { ServerResponse } from 'node:http';
import type { FieldError } from '../../protocol/kinds/kind.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { invalid } from '../../protocol/status.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { LogRequest } from '../../protocol/wire/messages.ts';
import { type ApiContext, existing, methodNotAllowed, type Target } from './context.ts';
import { type Answer, type Exchange, STREAMED } from './exchange.ts';
import { LogSocket } from './log-socket.ts';
import { chooseContainer, demandLog } from './pod-containers.ts';
import { count, flag } from './query.ts';
import { streamError } from './stream-end.ts';
import { asksForWebSocket } from './web-socket.ts';

/** The head of a silent log goes out after this; until then a refusal of the device can still become a Status. */
const HEAD_AFTER_MS = 1000;

/** Answers `pods/x/log`: the device's bytes as they come, until the container or the client ends. */
export async function log(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  if (exchange.method !== 'GET') throw methodNotAllowed();
  const pod = existing(context, target) as Pod;
  const request = logRequest(exchange.query, target.name, context.clock.nowMs());
  const container = chooseContainer(pod, exchange.query.get('container') ?? '');
  if ((pod.spec.nodeName ?? '') === '') return { text: '', type: 'text/plain' };
  demandLog(pod, container, request.previous === true);
  const body = asksForWebSocket(exchange)
    ? new LogSocket(exchange, context.clock)
    : new LogBody(exchange.response);
  const stream = await context.streams.open(
    pod,
    { kind: 'log', container, log: request },
    { onData: (_channel, payload) => body.write(payload), onClose: (end) => body.close(end) },
  );
  const cut = (): void => {
    body.close({ reason: 'ServiceUnavailable', message: 'the hub is stopping' });
    stream.close();
  };
  exchange.closed.addEventListener('abort', cut, { once: true });
  if (exchange.closed.aborted) cut();
  const timer = context.clock.after(HEAD_AFTER_MS, () => void body.start());
  await body.started.finally(() => timer.cancel());
  return STREAMED;
}

/** The response of one log: its head is held back until it is clear whether there is something to show. */
class LogBody {
  readonly #response: ServerResponse;
  readonly started: Promise<void>;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #begun = false;

  constructor(response: ServerResponse) {
    this.#response = response;
    this.started = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The device may refuse before anybody waits.
    this.started.catch(() => undefined);
  }

  start(): void {
    if (this.#begun) return;
    this.#begun = true;
    if (!this.#response.headersSent)
      this.#response.writeHead(200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-cache, private' });
    this.#response.flushHeaders();
    this.#resolve();
  }

  /** Settles when the client has taken the bytes, or is gone. */
  write(payload: Uint8Array): Promise<void> {
    this.start();
    if (this.#response.destroyed || this.#response.write(payload)) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#response.off('drain', settle);
        this.#response.off('close', settle);
        resolve();
      };
      this.#response.on('drain', settle);
      this.#response.on('close', settle);
    });
  }

  close(end: StreamEnd): void {
    const error = streamError(end);
    if (error !== undefined && !this.#begun) {
      this.#begun = true;
      this.#reject(error);
      return;
    }
    this.start();
    // A body cut short must not look complete.
    if (error !== undefined) this.#response.destroy();
    else this.#response.end();
  }
}

function logRequest(query: URLSearchParams, name: string, nowMs: number): LogRequest {
  const tailLines = count(query, 'tailLines');
  const limitBytes = count(query, 'limitBytes');
  const sinceSeconds = count(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime') ?? '';
  const errors: FieldError[] = [];
  const atLeast = (field: string, value: number | undefined, least: number): void => {
    if (value !== undefined && value < least)
      errors.push(wrong(field, value, `must be greater than or equal to ${least}`));
  };
  atLeast('tailLines', tailLines, 0);
  atLeast('limitBytes', limitBytes, 1);
  atLeast('sinceSeconds', sinceSeconds, 1);
  const sinceTimeMs = sinceTime === '' ? undefined : Date.parse(sinceTime);
  if (sinceTimeMs !== undefined && Number.isNaN(sinceTimeMs))
    errors.push(wrong('sinceTime', JSON.stringify(sinceTime), 'must be an RFC 3339 time'));
  if (sinceTimeMs !== undefined && sinceSeconds !== undefined)
    errors.push({
      reason: 'FieldValueForbidden',
      field: '',
      message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    });
  if (errors.length > 0) throw invalid({ kind: 'PodLogOptions', group: '', plural: '' }, name, errors);
  const sinceMs = sinceSeconds === undefined ? sinceTimeMs : nowMs - sinceSeconds * 1000;
  return {
    follow: flag(query, 'follow'),
    timestamps: flag(query, 'timestamps'),
    previous: flag(query, 'previous'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  };
}

function wrong(field: string, value: string | number, why: string): FieldError {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${why}` };
}
