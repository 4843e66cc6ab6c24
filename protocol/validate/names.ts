/**
 * The name rules of Kubernetes: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
 * Every function returns the texts of the broken rules, word for word as Kubernetes has them; none when the name is good.
 */

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const LABEL_VALUE = `(${QUALIFIED})?`;
const CONFIG_KEY = '[-._a-zA-Z0-9]+';
const HTTP_HEADER = '[-A-Za-z0-9]+';
const PERCENT = '[0-9]+%';

const full = (pattern: string): RegExp => new RegExp(`^${pattern}$`);
const LABEL_RE = full(LABEL);
const SUBDOMAIN_RE = full(SUBDOMAIN);
const QUALIFIED_RE = full(QUALIFIED);
const LABEL_VALUE_RE = full(LABEL_VALUE);
const CONFIG_KEY_RE = full(CONFIG_KEY);
const HTTP_HEADER_RE = full(HTTP_HEADER);
const PERCENT_RE = full(PERCENT);
const PRINTABLE_RE = /^[ -<>-~]+$/;

/** Kubernetes' odd double spaces included. */
function explained(rule: string, pattern: string, ...examples: string[]): string {
  const list = examples.map((e) => `'${e}', `).join(' or ');
  return `${rule} (e.g. ${list}regex used for validation is '${pattern}')`;
}

const tooLong = (length: number): string => `must be no more than ${length} characters`;

/** A name of up to 63 characters: namespaces, containers, volumes. */
export function labelNameErrors(name: string): string[] {
  const errors = name.length > 63 ? [tooLong(63)] : [];
  if (name.includes('.') && SUBDOMAIN_RE.test(name)) errors.push('must not contain dots');
  else if (!LABEL_RE.test(name)) {
    const rule =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
    errors.push(explained(rule, LABEL, 'my-name', '123-abc'));
  }
  return errors;
}

const SERVICE_NAME = '[a-z]([-a-z0-9]*[a-z0-9])?';
const SERVICE_NAME_RE = full(SERVICE_NAME);

/** A name of up to 63 characters that begins with a letter: services. */
export function serviceNameErrors(name: string): string[] {
  const errors = name.length > 63 ? [tooLong(63)] : [];
  if (!SERVICE_NAME_RE.test(name)) {
    const rule =
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
    errors.push(explained(rule, SERVICE_NAME, 'my-name', 'abc-123'));
  }
  return errors;
}

/** A name of up to 253 characters with dots: most objects. */
export function subdomainErrors(name: string): string[] {
  const errors = name.length > 253 ? [tooLong(253)] : [];
  if (!SUBDOMAIN_RE.test(name)) {
    const rule =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
    errors.push(explained(rule, SUBDOMAIN, 'example.com'));
  }
  return errors;
}

/** A key of labels, annotations, taints, resources: an optional prefix with a slash, then a name of up to 63 characters. */
export function qualifiedNameErrors(name: string): string[] {
  const parts = name.split('/');
  const rule =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  const text = explained(rule, QUALIFIED, 'MyName', 'my.name', '123-abc');
  if (parts.length > 2)
    return [
      `a qualified name ${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const errors: string[] = [];
  const [prefix, local] = parts.length === 2 ? parts : [undefined, parts[0]];
  if (prefix === '') errors.push('prefix part must be non-empty');
  else if (prefix !== undefined) errors.push(...subdomainErrors(prefix).map((e) => `prefix part ${e}`));
  if (local === undefined || local === '') errors.push('name part must be non-empty');
  else if (local.length > 63) errors.push(`name part ${tooLong(63)}`);
  if (!QUALIFIED_RE.test(local ?? '')) errors.push(`name part ${text}`);
  return errors;
}

/** The value of a label: up to 63 characters, may be empty. */
export function labelValueErrors(value: string): string[] {
  const errors = value.length > 63 ? [tooLong(63)] : [];
  if (!LABEL_VALUE_RE.test(value)) {
    const rule =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    errors.push(explained(rule, LABEL_VALUE, 'MyValue', 'my_value', '12345'));
  }
  return errors;
}

/** A key of a ConfigMap or Secret: a file name of up to 253 characters. */
export function configKeyErrors(key: string): string[] {
  const errors = key.length > 253 ? [tooLong(253)] : [];
  if (!CONFIG_KEY_RE.test(key)) {
    const rule = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    errors.push(explained(rule, CONFIG_KEY, 'key.name', 'KEY_NAME', 'key-name'));
  }
  if (key === '.') errors.push("must not be '.'");
  else if (key === '..') errors.push("must not be '..'");
  else if (key.startsWith('..')) errors.push("must not start with '..'");
  return errors;
}

/** The name of an environment variable. */
export function envNameErrors(name: string): string[] {
  if (PRINTABLE_RE.test(name)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** The name of a port: up to 15 characters with at least one letter. */
export function portNameErrors(name: string): string[] {
  const errors = name.length > 15 ? [tooLong(15)] : [];
  if (!/^[-a-z0-9]+$/.test(name))
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(name)) errors.push('must contain at least one letter (a-z)');
  if (name.includes('--')) errors.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

/** The number of a port. */
export function portNumberErrors(port: number): string[] {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
    ? []
    : ['must be between 1 and 65535, inclusive'];
}

/** The name of an HTTP header. */
export function httpHeaderErrors(name: string): string[] {
  if (HTTP_HEADER_RE.test(name)) return [];
  return [
    explained(
      "a valid HTTP header must consist of alphanumeric characters or '-'",
      HTTP_HEADER,
      'X-Header-Name',
    ),
  ];
}

/** A share such as `25%`. */
export function percentErrors(text: string): string[] {
  if (PERCENT_RE.test(text)) return [];
  const rule = "a valid percent string must be a numeric string followed by an ending '%'";
  return [explained(rule, PERCENT, '1%', '93%')];
}

/** A path inside a volume: relative and never upwards. */
export function localPathErrors(path: string): string[] {
  const errors = path.startsWith('/') ? ['must be a relative path'] : [];
  if (path.split('/').includes('..')) errors.push("must not contain '..'");
  return errors;
}

/** An IPv4 or IPv6 address. */
export function ipErrors(text: string): string[] {
  return isIpv4(text) || isIpv6(text)
    ? []
    : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) <= 255);
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const tail = last.includes('.') ? 2 : 1;
  const plain = tail === 2 ? groups.slice(0, -1) : groups;
  if (tail === 2 && !isIpv4(last)) return false;
  if (!plain.every((g) => /^[0-9a-fA-F]{1,4}$/.test(g))) return false;
  const count = plain.length + (tail === 2 ? 2 : 0);
  return halves.length === 2 ? count <= 7 : count === 8;
}
