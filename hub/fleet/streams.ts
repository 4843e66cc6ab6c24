import { StreamEndpoint, type StreamHandlers } from '../../kit/stream-endpoint.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';
import type { OpenMessage } from '../../protocol/wire/messages.ts';
import type { DeviceLink } from './device-link.ts';

/** What to open on a pod: logs, exec, attach or a port. */
export type StreamRequest = Pick<OpenMessage, 'kind' | 'container' | 'log' | 'exec' | 'port'>;

/** What the opener wants to hear; see StreamHandlers. */
export type StreamListener = Pick<StreamHandlers, 'onData' | 'onEnd' | 'onClose'>;

/** The opener's end of a stream. */
export type OpenStream = Pick<StreamEndpoint, 'write' | 'end' | 'resize' | 'close' | 'closed'>;

/** What streams are built from. */
export interface DeviceStreamsDeps {
  readonly link: DeviceLink;
  /** True when the device has said hello and is heard. */
  readonly isConnected: (node: string) => boolean;
  /** A random, unguessable stream id: letters, digits and dashes. */
  readonly newId: () => string;
}

interface Entry {
  readonly node: string;
  readonly endpoint: StreamEndpoint;
}

const MAX_STREAMS_PER_NODE = 256;

/**
 * Streams to devices, through the one connection each device keeps. Invariants: frames leave only after the broker has taken the
 * `open` that announces them; a stream whose device is lost or says hello anew ends with an error, because frames may be missing.
 */
export class DeviceStreams {
  readonly #deps: DeviceStreamsDeps;
  readonly #streams = new Map<string, Entry>();

  constructor(deps: DeviceStreamsDeps) {
    this.#deps = deps;
    deps.link.onFrame((node, stream, frame) => this.#receive(node, stream, frame));
  }

  /** Streams open now. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Opens a stream on the pod's device. Throws ApiError: BadRequest when the pod has no node yet, ServiceUnavailable when its device
   * is not connected, TooManyRequests. A refusal by the device comes as `onClose` with a reason.
   */
  open(pod: Pod, request: StreamRequest, listener: StreamListener): OpenStream {
    const node = this.#nodeOf(pod);
    const stream = this.#deps.newId();
    // Frames wait for the announcement: they travel at QoS 0 and could overtake it.
    let waiting: Uint8Array[] | undefined = [];
    const send = (frame: Uint8Array): void => {
      if (waiting === undefined) this.#deps.link.sendFrame(node, stream, frame);
      else waiting.push(frame);
    };
    const endpoint = new StreamEndpoint({
      send,
      onData: listener.onData,
      onEnd: listener.onEnd,
      onResize: () => undefined, // Only this side has a terminal.
      onClose: (end) => {
        this.#streams.delete(stream);
        listener.onClose(end);
      },
    });
    this.#streams.set(stream, { node, endpoint });
    this.#deps.link.sendControl(node, { t: 'open', stream, podUid: pod.metadata.uid, ...request }).then(
      () => {
        const frames = waiting ?? [];
        waiting = undefined;
        for (const frame of frames) this.#deps.link.sendFrame(node, stream, frame);
      },
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        endpoint.close({ reason: 'ServiceUnavailable', message: `the device was not reached: ${message}` });
      },
    );
    return endpoint;
  }

  /** Ends all streams of a node with an error; of all nodes when none is named. */
  endAll(message: string, node?: string): void {
    for (const entry of [...this.#streams.values()]) {
      if (node !== undefined && entry.node !== node) continue;
      entry.endpoint.close({ reason: 'ServiceUnavailable', message });
    }
  }

  #nodeOf(pod: Pod): string {
    const { name } = pod.metadata;
    const { nodeName } = pod.spec;
    if (nodeName === undefined) throw new ApiError('BadRequest', `pod ${name} does not have a host assigned`);
    if (!this.#deps.isConnected(nodeName)) {
      throw new ApiError('ServiceUnavailable', `the device "${nodeName}" of pod "${name}" is not connected`);
    }
    const open = [...this.#streams.values()].filter((entry) => entry.node === nodeName).length;
    if (open >= MAX_STREAMS_PER_NODE) {
      throw new ApiError('TooManyRequests', `the device "${nodeName}" has ${open} streams open`);
    }
    return nodeName;
  }

  #receive(node: string, stream: string, frame: Uint8Array): void {
    const entry = this.#streams.get(stream);
    // A device may only speak on streams that were opened to it.
    if (entry === undefined || entry.node !== node) return;
    entry.endpoint.receive(frame);
  }
}
