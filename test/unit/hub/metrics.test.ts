import * as assert from 'uvu/assert';
import { prometheusText } from '../../../hub/api/prometheus.ts';
import { nodeMetrics } from '../../../hub/metrics.ts';
import type { Node } from '../../../protocol/kinds/node.ts';
import type { Telemetry } from '../../../protocol/wire/messages.ts';
import { spec } from '../../spec.ts';

const node = (name: string, status: 'True' | 'Unknown'): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  spec: {},
  metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' },
  status: { conditions: [{ type: 'Ready', status }] },
});

const sample: Telemetry = {
  windowMs: 3000,
  cpuRatio: 0.25,
  memoryUsedBytes: 1000,
  memoryTotalBytes: 4000,
  diskRatio: 0.5,
  throttled: false,
};

/** `till` speaks, `door` has fallen silent, `new` has never said anything. */
const telemetry = {
  node: (name: string) =>
    name === 'new' ? undefined : { confirmedWallMs: name === 'till' ? 90_500 : 30_000 },
  fresh: (name: string) => (name === 'till' ? { sample } : undefined),
};

spec('metrics of devices', (it) => {
  const text = prometheusText(
    nodeMetrics([node('till', 'True'), node('door', 'Unknown'), node('new', 'Unknown')], telemetry),
  );
  const valuesOf = (name: string): string[] =>
    text.split('\n').filter((line) => line.startsWith(`coxswain_node_${name}{`));

  it('tell of all whether they are Ready', () =>
    assert.equal(valuesOf('ready'), [
      'coxswain_node_ready{node="till"} 1',
      'coxswain_node_ready{node="door"} 0',
      'coxswain_node_ready{node="new"} 0',
    ]));

  it('tell when each was heard last, so that silence can be told from a quiet hub', () =>
    assert.equal(valuesOf('heartbeat_timestamp_seconds'), [
      'coxswain_node_heartbeat_timestamp_seconds{node="till"} 90.5',
      'coxswain_node_heartbeat_timestamp_seconds{node="door"} 30',
    ]));

  it('tell the load of those that speak only', () => {
    assert.equal(valuesOf('cpu_ratio'), ['coxswain_node_cpu_ratio{node="till"} 0.25']);
    assert.equal(valuesOf('disk_used_ratio'), ['coxswain_node_disk_used_ratio{node="till"} 0.5']);
    assert.equal(valuesOf('throttled'), ['coxswain_node_throttled{node="till"} 0']);
  });

  it('leave out what a board does not have', () => assert.equal(valuesOf('temperature_celsius'), []));
});
