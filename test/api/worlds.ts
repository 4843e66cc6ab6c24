/** Objects that API tests put into a hub: as kubectl, the controllers and the fleet would have left them. */

/** A node that reports ready. */
export function readyNode(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { podCIDR: '10.64.1.0/24' },
    status: {
      capacity: { cpu: '4', memory: '2Gi', pods: '110' },
      allocatable: { cpu: '4', memory: '2Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'HeartbeatReceived' }],
      addresses: [{ type: 'InternalIP', address: '192.0.2.7' }],
      nodeInfo: {
        machineID: 'm',
        systemUUID: 'u',
        bootID: 'b',
        kernelVersion: '6.1.0',
        osImage: 'Debian GNU/Linux 12',
        containerRuntimeVersion: 'docker://24.0.7',
        kubeletVersion: 'v1.32.0+coxswain',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'arm64',
      },
    },
  };
}

/** A pod with containers of these names, running on `nodeName`. */
export function runningPod(name: string, nodeName: string, containers: readonly string[] = ['main']): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: { nodeName, containers: containers.map((c) => ({ name: c, image: 'busybox' })) },
    status: {
      phase: 'Running',
      podIP: '10.64.1.5',
      hostIP: '192.0.2.7',
      startTime: '2026-01-02T03:04:05Z',
      conditions: [{ type: 'Ready', status: 'True' }],
      containerStatuses: containers.map((c) => ({
        name: c,
        image: 'busybox',
        imageID: 'sha256:0',
        containerID: `docker://${c}`,
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: '2026-01-02T03:04:05Z' } },
      })),
    },
  };
}

/** A bound pod whose only container waits for `reason`. */
export function waitingPod(name: string, nodeName: string, reason: string): object {
  const pod = runningPod(name, nodeName) as { status: Record<string, unknown> };
  const status = { name: 'main', image: 'busybox', imageID: '', ready: false, restartCount: 0 };
  pod.status['phase'] = 'Pending';
  pod.status['containerStatuses'] = [{ ...status, state: { waiting: { reason } } }];
  return pod;
}
