import type { Control, Report, Telemetry } from '../../protocol/wire/messages.ts';

/**
 * The hub's side of the wire as the fleet needs it: messages are decoded and belong to the device that sent them.
 * The broker room implements it. Listeners are called in the order the device sent; each `on…` returns the way to stop.
 */
export interface DeviceLink {
  /** Resolves once the broker has taken the message (QoS 1); rejects when it could not. Keeps the order of the calls. */
  sendControl(node: string, message: Control): Promise<void>;
  /** One stream frame, QoS 0, down to the device; throws when the device is not connected. */
  sendFrame(node: string, stream: string, frame: Uint8Array): void;
  onReport(listener: (node: string, report: Report) => void): () => void;
  /** `sample` is undefined for an empty heartbeat: nothing has changed since the last sample. */
  onHeartbeat(listener: (node: string, sample: Telemetry | undefined) => void): () => void;
  onFrame(listener: (node: string, stream: string, frame: Uint8Array) => void): () => void;
}
