/**
 * Kubernetes quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 * Values are plain numbers in base units (cores, bytes); exact up to 2^53, which is 8 PiB or 9e15 cores.
 */
const FORM = /^([+-]?)(\d+\.?\d*|\.\d+)(?:([eE][+-]?\d+)|(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$/;

const SCALE: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Kubernetes' own text for a quantity that cannot be read. */
export const QUANTITY_ERROR =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Value of a quantity in base units, or undefined when it is malformed. A bare number is accepted, as in YAML `cpu: 2`. */
export function parseQuantity(quantity: string | number): number | undefined {
  if (typeof quantity === 'number') return Number.isFinite(quantity) ? quantity : undefined;
  const match = FORM.exec(quantity);
  if (match === null) return undefined;
  const [, sign, digits = '', exponent, suffix] = match;
  const unscaled = Number(digits + (exponent ?? ''));
  const value = unscaled * (suffix === undefined ? 1 : (SCALE[suffix] ?? Number.NaN));
  if (!Number.isFinite(value)) return undefined;
  return sign === '-' ? -value : value;
}

/** CPU in thousandths of a core, rounded up; 0 when absent or malformed (validation has refused the latter). */
export function cpuMilli(quantity: string | number | undefined): number {
  const cores = quantity === undefined ? undefined : parseQuantity(quantity);
  return cores === undefined ? 0 : Math.ceil(Number((cores * 1000).toFixed(6)));
}

/** Bytes (or plain counts), rounded up; 0 when absent or malformed. */
export function bytesOf(quantity: string | number | undefined): number {
  const value = quantity === undefined ? undefined : parseQuantity(quantity);
  return value === undefined ? 0 : Math.ceil(value);
}

/** `250m`, or `2` for whole cores. */
export function formatCpu(milli: number): string {
  return milli % 1000 === 0 ? String(milli / 1000) : `${Math.round(milli)}m`;
}

/** The largest binary unit that needs no fraction: `512Mi`, `1Gi`, `1000`. */
export function formatBytes(bytes: number): string {
  const whole = Math.round(bytes);
  for (const unit of ['Ei', 'Pi', 'Ti', 'Gi', 'Mi', 'Ki']) {
    const scale = SCALE[unit] ?? 1;
    if (whole >= scale && whole % scale === 0) return `${whole / scale}${unit}`;
  }
  return String(whole);
}
