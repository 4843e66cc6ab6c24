import * as assert from 'uvu/assert';
import type { Loose } from '../../../../protocol/kinds/loose.ts';
import type { ContainerStatus, Pod, PodSpec, PodStatus } from '../../../../protocol/kinds/pod.ts';
import { podCells } from '../../../../protocol/print/pod-cells.ts';
import { userContainer, userPod } from '../../../build/kube.ts';
import { spec } from '../../../spec.ts';

const running = (name = 'app', ready = true): Loose<ContainerStatus> => ({
  name,
  ready,
  restartCount: 0,
  state: { running: {} },
});
const waiting = (reason: string, name = 'app'): Loose<ContainerStatus> => ({
  name,
  ready: false,
  restartCount: 0,
  state: { waiting: { reason } },
});
const ended = (exitCode: number, reason?: string, name = 'app'): Loose<ContainerStatus> => ({
  name,
  ready: false,
  restartCount: 0,
  state: { terminated: { exitCode, ...(reason === undefined ? {} : { reason }) } },
});
const two: Loose<PodSpec> = { containers: [userContainer(), userContainer({ name: 'b' })] };
const withInit: Loose<PodSpec> = {
  initContainers: [userContainer({ name: 'i' }), userContainer({ name: 'j' })],
};
const withSidecar: Loose<PodSpec> = {
  initContainers: [userContainer({ name: 's', restartPolicy: 'Always' })],
};

spec('podCells', (it) => {
  const cases: readonly (readonly [string, Loose<PodSpec>, Loose<PodStatus>, string, string])[] = [
    ['shows the phase first', {}, { phase: 'Pending' }, 'Pending', '0/1'],
    ['prefers the reason of the pod', {}, { phase: 'Failed', reason: 'Evicted' }, 'Evicted', '0/1'],
    ['runs', {}, { phase: 'Running', containerStatuses: [running()] }, 'Running', '1/1'],
    [
      'waits',
      {},
      { phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] },
      'ContainerCreating',
      '0/1',
    ],
    [
      'crashes',
      {},
      { phase: 'Running', containerStatuses: [waiting('CrashLoopBackOff')] },
      'CrashLoopBackOff',
      '0/1',
    ],
    ['names the exit code', {}, { phase: 'Failed', containerStatuses: [ended(3)] }, 'ExitCode:3', '0/1'],
    [
      'takes the first container with a reason',
      two,
      { phase: 'Running', containerStatuses: [waiting('ImagePullBackOff'), waiting('ErrImagePull', 'b')] },
      'ImagePullBackOff',
      '0/2',
    ],
    [
      'is not completed while one runs',
      two,
      {
        phase: 'Running',
        containerStatuses: [ended(0, 'Completed'), running('b')],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
      'Running',
      '1/2',
    ],
    [
      'says NotReady then',
      two,
      { phase: 'Running', containerStatuses: [ended(0, 'Completed'), running('b')] },
      'NotReady',
      '1/2',
    ],
    [
      'counts init containers',
      withInit,
      { phase: 'Pending', initContainerStatuses: [ended(0, 'Completed', 'i'), running('j', false)] },
      'Init:1/2',
      '0/1',
    ],
    [
      'shows why init failed',
      withInit,
      { phase: 'Pending', initContainerStatuses: [ended(1, 'Error', 'i')] },
      'Init:Error',
      '0/1',
    ],
    [
      'shows the exit code of init',
      withInit,
      { phase: 'Pending', initContainerStatuses: [ended(7, undefined, 'i')] },
      'Init:ExitCode:7',
      '0/1',
    ],
    [
      'shows init in back-off',
      withInit,
      { phase: 'Pending', initContainerStatuses: [waiting('CrashLoopBackOff', 'i')] },
      'Init:CrashLoopBackOff',
      '0/1',
    ],
    [
      'counts sidecars',
      withSidecar,
      {
        phase: 'Running',
        initContainerStatuses: [{ ...running('s'), started: true }],
        containerStatuses: [running()],
      },
      'Running',
      '2/2',
    ],
    [
      'shows scheduling gates',
      {},
      {
        phase: 'Pending',
        conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      },
      'SchedulingGated',
      '0/1',
    ],
  ];
  for (const [name, podSpec, status, text, ready] of cases)
    it(name, () => {
      const cells = podCells(userPod(podSpec, status), 0);
      assert.equal([cells.status, cells.ready], [text, ready]);
    });

  it('shows deletion above all but the end', () => {
    const deleted = (status: Loose<PodStatus>): Pod => {
      const pod = userPod({}, status);
      pod.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
      return pod;
    };
    assert.is(
      podCells(deleted({ phase: 'Running', containerStatuses: [running()] }), 0).status,
      'Terminating',
    );
    assert.is(
      podCells(deleted({ phase: 'Succeeded', containerStatuses: [ended(0, 'Completed')] }), 0).status,
      'Completed',
    );
    assert.is(podCells(deleted({ phase: 'Running', reason: 'NodeLost' }), 0).status, 'Unknown');
  });

  it('shows restarts and when the last was', () => {
    const restarted = {
      ...running(),
      restartCount: 3,
      lastState: { terminated: { exitCode: 1, finishedAt: '1970-01-01T00:00:10Z' } },
    };
    assert.is(podCells(userPod({}, { containerStatuses: [restarted] }), 22_000).restarts, '3 (12s ago)');
    assert.is(podCells(userPod({}, { containerStatuses: [running()] }), 22_000).restarts, '0');
  });
});
