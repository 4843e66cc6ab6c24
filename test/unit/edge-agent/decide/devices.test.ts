import * as assert from 'uvu/assert';
import { mergeDevices, readDevices } from '../../../../edge-agent/decide/device-config.ts';
import {
  allocateDevices,
  type DeviceHolder,
  type DeviceUnit,
  deviceCounts,
  givenDevices,
  hasMoved,
  shortageText,
  unitKey,
} from '../../../../edge-agent/decide/devices.ts';
import { chooseProfile, readProfile } from '../../../../edge-agent/decide/profile.ts';
import { loadProfiles } from '../../../../edge-agent/sensors/profile-files.ts';
import { spec } from '../../../spec.ts';

const SERIAL = 'coxswain.dev/serial';

spec('readDevices', (it) => {
  const refused = (raw: unknown): string => {
    const read = readDevices(raw);
    return read.ok ? 'accepted' : read.why;
  };
  it('reads names, paths, groups of paths, count and env', () => {
    const raw = [
      { name: SERIAL, paths: ['/dev/serial/by-id/*'], env: 'PORT' },
      { name: 'coxswain.dev/gpio', paths: ['/dev/gpiochip0'], count: 4 },
      { name: 'coxswain.dev/camera', paths: [['/dev/video0', '/dev/media0']] },
    ];
    const read = readDevices(raw);
    assert.ok(read.ok);
    assert.equal(read.ok && read.value.map((d) => [d.name, d.count, d.env]), [
      [SERIAL, 1, 'PORT'],
      ['coxswain.dev/gpio', 4, undefined],
      ['coxswain.dev/camera', 1, undefined],
    ]);
  });
  const bad: readonly [string, unknown, RegExp][] = [
    ['no list', {}, /must be a list/],
    ['no mapping', ['x'], /devices\[0\]: must be a mapping/],
    ['an unknown key', [{ name: SERIAL, paths: ['/dev/a'], path: 1 }], /unknown key "path"/],
    ['a bare name', [{ name: 'serial', paths: ['/dev/a'] }], /name must be/],
    ['a name of Kubernetes', [{ name: 'kubernetes.io/x', paths: ['/dev/a'] }], /name must be/],
    ['no path', [{ name: SERIAL, paths: [] }], /paths must be/],
    ['a relative path', [{ name: SERIAL, paths: ['dev/a'] }], /paths must be/],
    ['a way out', [{ name: SERIAL, paths: ['/dev/../etc/x'] }], /paths must be/],
    ['a star in a folder', [{ name: SERIAL, paths: ['/dev/*/a'] }], /paths must be/],
    ['a count of nothing', [{ name: SERIAL, paths: ['/dev/a'], count: 0 }], /count must be/],
    ['a bad variable', [{ name: SERIAL, paths: ['/dev/a'], env: 'A-B' }], /env must be/],
    [
      'one device in two resources',
      [
        { name: SERIAL, paths: ['/dev/a'] },
        { name: 'x.dev/y', paths: ['/dev/a'] },
      ],
      /\/dev\/a belongs to coxswain.dev\/serial and x.dev\/y/,
    ],
  ];
  for (const [name, raw, why] of bad) it(`refuses ${name}`, () => assert.match(refused(raw), why));

  it('takes the later file of the same name, and defaults where a profile is silent', async () => {
    const device = (path: string) => ({ name: SERIAL, paths: [path], count: 1 });
    assert.equal(mergeDevices([[device('/dev/a')], [device('/dev/b')]]), [device('/dev/b')]);
    const { files } = await loadProfiles([]);
    const site = readProfile('site', { variant: true, devices: [{ name: SERIAL, paths: ['/dev/a'] }] });
    const profile = chooseProfile([site, ...files], { model: '', arch: 'x64' }, ['site']);
    assert.equal(profile.devices, [device('/dev/a')]);
    assert.equal([profile.evictionHoldMs, profile.imageGcHighRatio], [10_000, 0.85]);
    const old = { ...files.find((f) => f.name === 'generic-x64')?.values };
    assert.is(typeof old.maxPods, 'number');
  });
});

const unit = (path: string, share = 0, resource = SERIAL): DeviceUnit => ({
  resource,
  key: unitKey(resource, path, share),
  nodes: [{ target: path, source: path, number: 5 }],
  groups: [],
});
const ME: DeviceHolder = { podUid: 'me', container: 'main' };
const held = (entries: readonly [string, string, string][]): Map<string, DeviceHolder> =>
  new Map(entries.map(([path, podUid, container]) => [`${SERIAL}=${path}`, { podUid, container }]));

spec('allocateDevices', (it) => {
  const units = [unit('/dev/a'), unit('/dev/b'), unit('/dev/c')];
  const given = (count: number, holders: Map<string, DeviceHolder>, done: string[] = []): string => {
    const allocation = allocateDevices({ [SERIAL]: count }, units, holders, ME, new Set(done));
    if (!allocation.ok) return `only ${allocation.available} of ${allocation.requested}`;
    return allocation.units.map((u) => u.nodes[0]?.target).join(' ');
  };
  it('gives the first free ones', () =>
    assert.is(given(2, held([['/dev/a', 'other', 'main']])), '/dev/b /dev/c'));
  it('gives back what the container had', () =>
    assert.is(given(1, held([['/dev/c', 'me', 'main']])), '/dev/c'));
  it('gives what an init container of the pod leaves', () =>
    assert.is(given(1, held([['/dev/b', 'me', 'init']]), ['init']), '/dev/b'));
  it('takes nothing from a container of the pod that runs', () =>
    assert.is(given(3, held([['/dev/b', 'me', 'sidecar']])), 'only 2 of 3'));
  it('refuses when all are given away', () => {
    const all = held([
      ['/dev/a', 'x', 'main'],
      ['/dev/b', 'y', 'main'],
      ['/dev/c', 'z', 'main'],
    ]);
    assert.is(given(1, all), 'only 0 of 1');
  });
  it('counts shares of one device, and 0 for what is absent', () => {
    const shares = [unit('/dev/g', 0, 'x.dev/gpio'), unit('/dev/g', 1, 'x.dev/gpio')];
    assert.equal(
      shares.map((u) => u.key),
      ['x.dev/gpio=/dev/g', 'x.dev/gpio=/dev/g#2'],
    );
    assert.equal(deviceCounts(['x.dev/gpio', SERIAL], shares), { 'x.dev/gpio': 2, [SERIAL]: 0 });
  });
  it('notices a device that is back under another number, and forgives one that is away', () => {
    const given = givenDevices([unit('/dev/a'), unit('/dev/b')]);
    assert.equal(given, { [`${SERIAL}=/dev/a`]: '5', [`${SERIAL}=/dev/b`]: '5' });
    assert.is(hasMoved(given, given), false);
    assert.is(hasMoved(given, { [`${SERIAL}=/dev/a`]: '5' }), false);
    assert.is(hasMoved(given, { ...given, [`${SERIAL}=/dev/b`]: '6' }), true);
    assert.is(hasMoved(undefined, given), false);
  });
  it('says what is missing in the words of Kubernetes', () =>
    assert.is(
      shortageText({ ok: false, resource: SERIAL, requested: 2, available: 1 }),
      `Allocate failed due to requested number of devices unavailable for ${SERIAL}. Requested: 2, Available: 1, which is unexpected`,
    ));
});
