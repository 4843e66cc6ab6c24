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

const DECIMAL_SUFFIXES = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY_SUFFIXES = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const NANO_DIGITS = 9;
/** Longer ones are left as they are: no honest amount needs them. */
const LONGEST_EXPONENT = 18;

/**
 * A quantity as Kubernetes tells it again: no fraction, and the largest suffix of its own sort that allows that (`0.5` becomes `500m`,
 * `1000m` becomes `1`, `1.5Gi` becomes `1536Mi`). Finer than a thousand-millionth is rounded up. Idempotent; what is no quantity, or one
 * beyond all bounds, comes back as it is.
 */
export function canonicalQuantity(quantity: string | number): string {
  const text = String(quantity);
  const match = FORM.exec(text);
  if (match === null) return text;
  const [, sign = '', digits = '', exponent, suffix = ''] = match;
  const isBinary = BINARY_SUFFIXES.indexOf(suffix) > 0;
  const power =
    exponent === undefined ? 3 * (DECIMAL_SUFFIXES.indexOf(suffix) - 3) : Number(exponent.slice(1));
  if (Math.abs(power) > LONGEST_EXPONENT || digits.length > 2 * LONGEST_EXPONENT) return text;
  const scale = isBinary ? 1024n ** BigInt(BINARY_SUFFIXES.indexOf(suffix)) : 1n;
  const nanos = inNanos(digits, isBinary ? 0 : power, scale);
  const minus = sign === '-' && nanos > 0n ? '-' : '';
  const base = 10n ** BigInt(NANO_DIGITS);
  if (isBinary && nanos % base === 0n && nanos >= 1024n * base)
    return minus + largestSuffix(nanos / base, 1024n, BINARY_SUFFIXES);
  if (exponent === undefined) return minus + largestSuffix(nanos, 1000n, DECIMAL_SUFFIXES);
  return minus + largestSuffix(nanos, 1000n, EXPONENTS);
}

const EXPONENTS = DECIMAL_SUFFIXES.map((_, i) => (i === 3 ? '' : `e${3 * (i - 3)}`));

/** `digits` times ten to the `power` times `scale`, in thousand-millionths, rounded up. */
function inNanos(digits: string, power: number, scale: bigint): bigint {
  const [whole = '', fraction = ''] = digits.split('.');
  const shift = NANO_DIGITS + power - fraction.length;
  const value = BigInt(whole + fraction) * scale;
  if (shift >= 0) return value * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  return (value + divisor - 1n) / divisor;
}

/** The amount of the smallest suffix, told with the largest that needs no fraction. */
function largestSuffix(amount: bigint, step: bigint, suffixes: readonly string[]): string {
  if (amount === 0n) return '0';
  let rest = amount;
  let i = 0;
  while (i < suffixes.length - 1 && rest % step === 0n) {
    rest /= step;
    i += 1;
  }
  return `${rest}${suffixes[i] ?? ''}`;
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
