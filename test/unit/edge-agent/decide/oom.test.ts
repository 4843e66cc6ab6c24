import * as assert from 'uvu/assert';
import type { ContainerView } from '../../../../edge-agent/decide/container.ts';
import { isOomOpen, readOomLine } from '../../../../edge-agent/decide/oom.ts';
import { spec } from '../../../spec.ts';

const A = 'a0c02a2d'.repeat(8);
const B = '0badcafe'.repeat(8);
const report = (path: string): string =>
  `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${B},mems_allowed=0,oom_memcg=/system.slice,task_memcg=${path},task=sh,pid=21015,uid=0`;
const kernel = (text: string, flags = '-'): string => `6,103213,27256329675,${flags};${text}`;

/** Everything named in these lines, read one after the other. */
function named(lines: readonly string[]): string[] {
  let rest = '';
  return lines.flatMap((line) => {
    const reading = readOomLine(rest, line);
    rest = reading.rest;
    return reading.victims;
  });
}

spec('readOomLine', (it) => {
  const whole = report(`/docker/${A}`);
  const [head = '', tail = ''] = whole.split(',task=');
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['cgroup driver cgroupfs', [kernel(whole)], [A]],
    ['cgroup driver systemd', [kernel(report(`/system.slice/docker-${A}.scope`))], [A]],
    ['a cgroup the container made', [kernel(report(`/docker/${A}/init.scope`))], [A]],
    ['an engine in a container', [kernel(report(`/docker/${A}/docker/${B}`))], [A, B]],
    ['the whole machine out of memory', [kernel(whole.replace('_MEMCG', '_NONE'))], [A]],
    ['with the caller', [kernel(whole, '-,caller=T21015')], [A]],
    ['a process of no container', [kernel(report('/user.slice'))], []],
    [
      'only the cgroup that is full counts for nothing',
      [kernel(report('/').replace('/system.slice', A))],
      [],
    ],
    [
      'in fragments',
      [kernel(head.slice(0, 150)), kernel(head.slice(150), 'c'), kernel(`,task=${tail}`, 'c')],
      [A],
    ],
    ['another record between', [kernel(head), kernel('eth0: link up'), kernel(`,task=${tail}`, 'c')], [A]],
    ['the end was never read', [kernel(head), kernel(whole.replace(A, B))], [B]],
    ['a fragment of something else', [kernel(`,task=${tail}`, 'c')], []],
    ['a program writes the same', [`14,1,2,-;${whole}`], []],
    [
      'the line of the kill',
      [kernel(`Memory cgroup out of memory: Killed process 1 (${A.slice(0, 15)})`)],
      [],
    ],
    ['properties of a record', [` SUBSYSTEM=oom-kill:,task_memcg=/${A},task=`], []],
    ['nothing', ['', ';', 'oom-kill:'], []],
  ];
  for (const [name, lines, victims] of cases) it(name, () => assert.equal(named(lines), [...victims]));
});

spec('isOomOpen', (it) => {
  const view = (overrides: Partial<ContainerView>): ContainerView => ({
    id: A,
    podUid: 'u',
    podName: 'p',
    podNamespace: 'default',
    name: 'main',
    role: 'app',
    attempt: 0,
    specHash: '',
    generation: '',
    state: 'exited',
    image: 'i',
    imageId: 'i',
    stopSignal: 'SIGTERM',
    startedAtMs: 1,
    exitCode: 137,
    oomKilled: false,
    ...overrides,
  });
  const cases: readonly (readonly [string, Partial<ContainerView>, boolean])[] = [
    ['killed', {}, true],
    ['failed by itself, perhaps for the loss of a child', { exitCode: 3 }, true],
    ['succeeded', { exitCode: 0 }, false],
    ['the engine noticed', { oomKilled: true }, false],
    ['still running', { state: 'running' }, false],
  ];
  for (const [name, overrides, open] of cases) it(name, () => assert.is(isOomOpen(view(overrides)), open));
  it('never ran', () => {
    const { startedAtMs, ...never } = view({ exitCode: 127 });
    assert.ok(startedAtMs);
    assert.is(isOomOpen(never), false);
  });
});
