import type { DesiredMessage, Item, NodeFacts, PodReport } from '../../protocol/wire/messages.ts';

/** A pod item with one container; `rev` tells contents apart. */
export function podItem(uid: string, rev = '1'): Item {
  return {
    key: `pod/${uid}`,
    rev,
    kind: 'pod',
    body: {
      metadata: { name: `pod-${uid}`, namespace: 'default', uid },
      spec: { containers: [{ name: 'main', image: `busybox:${rev}` }] },
    },
  };
}

/** A full desired message of generation `gen` for these items. */
export function fullSet(
  gen: number,
  items: readonly Item[],
  over: Partial<DesiredMessage> = {},
): DesiredMessage {
  return {
    t: 'desired',
    cluster: 'c1',
    gen,
    base: null,
    items,
    set: Object.fromEntries(items.map((item) => [item.key, item.rev])),
    del: [],
    ...over,
  };
}

/** A running pod's report. */
export function podReport(uid: string, over: Partial<PodReport> = {}): PodReport {
  return { uid, namespace: 'default', name: `pod-${uid}`, status: { phase: 'Running' }, ...over };
}

/** Valid facts of a small board. */
export function nodeFacts(over: Partial<NodeFacts> = {}): NodeFacts {
  return {
    cpuMilli: 4000,
    memoryBytes: 1 << 30,
    diskBytes: 1 << 33,
    maxPods: 20,
    reservedCpuMilli: 100,
    reservedMemoryBytes: 1 << 27,
    profile: 'pi-4',
    heartbeatMs: 3000,
    leaseMs: 8000,
    labels: {},
    addresses: [],
    system: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '',
      osImage: '',
      containerRuntimeVersion: '',
      kubeletVersion: '',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'arm64',
    },
    conditions: [],
    ...over,
  };
}
