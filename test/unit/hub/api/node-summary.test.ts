import * as assert from 'uvu/assert';
import type { ApiContext } from '../../../../hub/api/context.ts';
import { nodeSummary } from '../../../../hub/api/node-summary.ts';
import type { Node } from '../../../../protocol/kinds/node.ts';
import type { Pod, PodPhase } from '../../../../protocol/kinds/pod.ts';
import { spec } from '../../../spec.ts';

const META = { resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const time = '2026-01-02T03:04:05Z';

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { ...META, name: 'n', uid: 'n' },
  spec: {},
  status: { capacity: { cpu: '2', memory: '1Gi', 'ephemeral-storage': '1000' } },
};
const pod = (name: string, phase: PodPhase): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { ...META, name, namespace: 'd', uid: name },
  spec: { nodeName: 'n', containers: [{ name: 'a', image: 'i' }] },
  status: { phase, startTime: '2026-01-01T10:00:00Z' },
});

const context = {
  telemetry: {
    node: () => ({
      sample: {
        windowMs: 1000,
        cpuRatio: 0.5,
        memoryUsedBytes: 300,
        memoryTotalBytes: 1000,
        diskRatio: 0.25,
      },
      atMs: AT,
    }),
    pod: (uid: string) =>
      uid === 'known'
        ? {
            sample: {
              cpuMilli: 30,
              memoryBytes: 90,
              containers: { a: { cpuMilli: 10, memoryBytes: 40 }, b: { cpuMilli: 20, memoryBytes: 50 } },
            },
            atMs: AT,
          }
        : undefined,
  },
} as unknown as ApiContext;

spec('nodeSummary', (it) => {
  it('tells what was measured of the node, with its disk', () => {
    assert.equal(nodeSummary(context, node, []), {
      node: {
        nodeName: 'n',
        cpu: { time, usageNanoCores: 1_000_000_000 },
        memory: { time, availableBytes: 700, usageBytes: 300, workingSetBytes: 300 },
        fs: { time, availableBytes: 750, capacityBytes: 1000, usedBytes: 250 },
      },
      pods: [],
    });
  });

  it('tells of running pods only, by container, and names those that are not measured', () => {
    const pods = [pod('known', 'Running'), pod('unknown', 'Running'), pod('known', 'Succeeded')];
    const { pods: told } = nodeSummary(context, node, pods) as { pods: Record<string, unknown>[] };
    assert.equal(told, [
      {
        podRef: { name: 'known', namespace: 'd', uid: 'known' },
        startTime: '2026-01-01T10:00:00Z',
        cpu: { time, usageNanoCores: 30_000_000 },
        memory: { time, workingSetBytes: 90 },
        containers: [
          { name: 'a', cpu: { time, usageNanoCores: 10_000_000 }, memory: { time, workingSetBytes: 40 } },
          { name: 'b', cpu: { time, usageNanoCores: 20_000_000 }, memory: { time, workingSetBytes: 50 } },
        ],
      },
      {
        podRef: { name: 'unknown', namespace: 'd', uid: 'unknown' },
        startTime: '2026-01-01T10:00:00Z',
        containers: [],
      },
    ]);
  });
});
