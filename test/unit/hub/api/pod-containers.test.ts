import * as assert from 'uvu/assert';
import { chooseContainer, demandLog } from '../../../../hub/api/pod-containers.ts';
import type { ContainerState, Pod } from '../../../../protocol/kinds/pod.ts';
import { spec } from '../../../spec.ts';

function pod(state: ContainerState | undefined, lastState?: ContainerState): Pod {
  const status = { name: 'c', ready: false, restartCount: 0, image: 'i', imageID: '' };
  const containerStatuses = [
    {
      ...status,
      ...(state === undefined ? {} : { state }),
      ...(lastState === undefined ? {} : { lastState }),
    },
  ];
  return {
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', image: 'i' }], initContainers: [{ name: 'i', image: 'i' }] },
    status: { containerStatuses },
  } as unknown as Pod;
}

const running = { running: {} };
const ended = { terminated: { exitCode: 1 } };
const waiting = (reason: string): ContainerState => ({ waiting: { reason } });

const CASES = [
  ['running', pod(running), false, undefined],
  ['ended', pod(ended), false, undefined],
  ['waits after a crash', pod(waiting('CrashLoopBackOff'), ended), false, undefined],
  [
    'waits',
    pod(waiting('PodInitializing')),
    false,
    'container "c" in pod "p" is waiting to start: PodInitializing',
  ],
  ['not told of', pod(undefined), false, 'container "c" in pod "p" is waiting to start: ContainerCreating'],
  ['no image', pod(waiting('ErrImagePull')), false, 'is waiting to start: trying and failing to pull image'],
  ['previous, there', pod(running, ended), true, undefined],
  ['previous, not there', pod(running), true, 'previous terminated container "c" in pod "p" not found'],
] as const;

spec('demandLog', (it) => {
  for (const [name, given, previous, refusal] of CASES)
    it(name, () => {
      const ask = (): void => demandLog(given, 'c', previous);
      if (refusal === undefined) ask();
      else assert.throws(ask, (error: Error) => error.message.includes(refusal));
    });
});

spec('chooseContainer', (it) => {
  it('takes the only one, or the named one', () => {
    assert.is(chooseContainer(pod(running), ''), 'c');
    assert.is(chooseContainer(pod(running), 'i'), 'i');
  });

  it('refuses to guess', () => {
    const two = pod(running);
    two.spec.containers.push({ name: 'd', image: 'i' });
    const text =
      'a container name must be specified for pod p, choose one of: [c d] or one of the init containers: [i]';
    assert.throws(
      () => chooseContainer(two, ''),
      (error: Error) => error.message === text,
    );
    assert.throws(() => chooseContainer(two, 'x'), /container x is not valid for pod p/);
  });
});
