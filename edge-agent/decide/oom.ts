import type { ContainerView } from './container.ts';

/** What has been read of the kernel log: `rest` is a report of which the end is still to come. */
export interface OomReading {
  readonly rest: string;
  /** Ids of containers, the outer one first, in whose cgroup the kernel killed a process for want of memory. */
  readonly victims: readonly string[];
}

const RECORD = /^(\d+),\d+,\d+,([^;]*);(.*)$/;

/**
 * Reads one line of /dev/kmsg. The kernel (5.0 and newer) writes one `oom-kill:` report for a kill, before the process dies; it may
 * come in fragments, with records of other processors between them. Only the kernel itself is believed: what programs write to
 * the log carries another facility. Never throws.
 */
export function readOomLine(rest: string, line: string): OomReading {
  const [, priority = '', flags = '', text = ''] = RECORD.exec(line) ?? [];
  const isKernel = priority !== '' && Number(priority) < 8;
  if (!isKernel) return { rest, victims: [] };
  const isFragment = rest !== '' && flags.includes('c');
  if (!isFragment && !text.startsWith('oom-kill:')) return { rest, victims: [] };
  const report = isFragment ? rest + text : text;
  const whole = /,task_memcg=(.*?),task=/.exec(report);
  if (whole === null) return { rest: report, victims: [] };
  return { rest: '', victims: [...(whole[1] ?? '').matchAll(/[0-9a-f]{64}/g)].map(([id]) => id) };
}

/**
 * Whether to ask the kernel log about this container: it ran and failed, and the engine does not say why. As in Kubernetes, any
 * process killed in the container counts, whatever the exit code its main process then chose.
 */
export function isOomOpen(view: ContainerView): boolean {
  const failed = view.state === 'exited' && (view.exitCode ?? 0) !== 0;
  return failed && view.startedAtMs !== undefined && view.oomKilled !== true;
}
