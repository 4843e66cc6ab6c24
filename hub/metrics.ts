import type { DurableMap } from '../kit/durable-map.ts';
import type { Metric } from './api/ports.ts';
import type { Refusals } from './broker/refusals.ts';

/** What the broker and the link turned away, by device and reason. */
export function refusedMetrics(refusals: Refusals): Metric[] {
  return [
    {
      name: 'coxswain_refused_messages_total',
      help: 'Messages and connections of devices that were refused.',
      type: 'counter',
      values: refusals
        .counts()
        .map(({ node, reason, count }) => ({ labels: { node, reason }, value: count })),
    },
  ];
}

/** What the store has written since the start. */
export function storeMetrics(map: DurableMap): Metric[] {
  const { bytesWritten, fsyncs, journalBytes } = map.counters;
  const one = (name: string, help: string, type: Metric['type'], value: number): Metric => ({
    name,
    help,
    type,
    values: [{ value }],
  });
  return [
    one(
      'coxswain_store_written_bytes_total',
      'Bytes written to the disk by the store.',
      'counter',
      bytesWritten,
    ),
    one('coxswain_store_syncs_total', 'Times the store waited for the disk.', 'counter', fsyncs),
    one('coxswain_store_journal_bytes', 'Journal not yet folded.', 'gauge', journalBytes),
  ];
}
