/** A volume that cannot be had; the message is that of the FailedMount event. */
export class VolumeError extends Error {
  readonly volume: string;
  constructor(volume: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VolumeError';
    this.volume = volume;
  }
}
