/** A stream that will not be served; `reason` is a Kubernetes Status reason, the message is for people. */
export class StreamRefusal extends Error {
  readonly reason: 'NotFound' | 'BadRequest' | 'ServiceUnavailable';
  constructor(reason: StreamRefusal['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StreamRefusal';
    this.reason = reason;
  }
}
