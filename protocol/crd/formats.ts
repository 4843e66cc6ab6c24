import { ipErrors } from '../validate/names.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:?\d{2})$/;
const DURATION = /^(?:[+-]?(?:\d{1,18}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h|d|w) ?){1,10}|0)$/;
const UUID = /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/;

const isIpv4 = (text: string): boolean => !text.includes(':') && ipErrors(text).length === 0;
const isIpv6 = (text: string): boolean => text.includes(':') && ipErrors(text).length === 0;
const isTime = (text: string): boolean => DATE_TIME.test(text) && !Number.isNaN(Date.parse(text));

/** The formats Kubernetes knows and a text can break; all of them take time that grows with the text's length only. */
const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  byte: (text) => BASE64.test(text),
  date: (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)),
  'date-time': isTime,
  datetime: isTime,
  duration: (text) => DURATION.test(text),
  ipv4: isIpv4,
  ipv6: isIpv6,
  cidr: (text) => {
    const [address = '', bits = '', ...more] = text.split('/');
    const most = isIpv4(address) ? 32 : isIpv6(address) ? 128 : -1;
    return more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
  },
  uuid: (text) => UUID.test(text),
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text) || text.startsWith('/'),
};

/** True when the text breaks its format; formats that are not known are not checked. */
export function formatError(format: string, text: string): boolean {
  return Object.hasOwn(FORMATS, format) && FORMATS[format]?.(text) === false;
}
