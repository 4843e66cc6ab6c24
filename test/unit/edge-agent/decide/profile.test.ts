import * as assert from 'uvu/assert';
import {
  chooseProfile,
  ProfileError,
  readProfile,
  withSettings,
} from '../../../../edge-agent/decide/profile.ts';
import { loadProfiles } from '../../../../edge-agent/sensors/profile-files.ts';
import { spec } from '../../../spec.ts';

const { files } = await loadProfiles([]);
const choose = (model: string, arch: string, ...chosen: string[]) =>
  chooseProfile(files, { model, arch }, chosen);
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof ProfileError) return error.message;
    throw error;
  }
  return 'accepted';
};

spec('profiles', (it) => {
  const boards: readonly [string, string, string][] = [
    ['Raspberry Pi Zero 2 W Rev 1.0', 'arm64', 'pi-zero-2w'],
    ['Raspberry Pi 3 Model B Plus Rev 1.3', 'arm64', 'pi-3b'],
    ['Raspberry Pi 4 Model B Rev 1.4', 'arm64', 'pi-4'],
    ['Raspberry Pi 5 Model B Rev 1.0', 'arm64', 'pi-5'],
    ['Orange Pi 5', 'arm64', 'generic-arm64'],
    ['', 'x64', 'generic-x64'],
  ];
  for (const [model, arch, name] of boards) {
    it(`takes "${model}" (${arch}) for ${name}`, () => assert.is(choose(model, arch).name, name));
  }

  it('lays variants on top of the board', () => {
    const p = choose('Raspberry Pi 4 Model B', 'arm64', 'metered');
    assert.equal([p.name, p.heartbeatMs, p.leaseMs, p.maxPods], ['pi-4.metered', 15_000, 45_000, 60]);
    assert.equal(p.labels, { 'coxswain.dev/board': 'pi-4', 'coxswain.dev/link': 'metered' });
    const fast = choose('', 'x64', 'pi-5', 'fast-detection');
    assert.equal([fast.name, fast.heartbeatMs, fast.leaseMs], ['pi-5.fast-detection', 1000, 3000]);
  });

  it('is found by every default with heartbeat 3 s and lease 8 s', () => {
    for (const file of files.filter((f) => !f.isVariant)) {
      assert.equal([file.values.heartbeatMs, file.values.leaseMs], [3000, 8000], file.name);
    }
  });

  it('refuses what it does not understand, naming the key', () => {
    assert.is(
      refusal(() => readProfile('x', { heartbeat: 3 })),
      'profile x: unknown key "heartbeat"',
    );
    assert.is(
      refusal(() => readProfile('x', { toString: 3 })),
      'profile x: unknown key "toString"',
    );
    assert.match(
      refusal(() => readProfile('x', { variant: true, heartbeatMs: 'fast' })),
      'heartbeatMs must be',
    );
    assert.match(
      refusal(() => readProfile('x', { reservedCpu: '100m' })),
      'is missing',
    );
    assert.is(
      refusal(() => readProfile('x', [])),
      'profile x: must be a mapping',
    );
    assert.match(
      refusal(() => choose('', 'x64', 'nope')),
      'profile "nope" is not one of',
    );
    assert.match(
      refusal(() => choose('', 'x64', 'pi-4', 'pi-5')),
      'only one of',
    );
    assert.match(
      refusal(() => choose('', 'riscv64')),
      'choose one with --profile',
    );
  });

  it('takes the hub’s settings it understands and ignores the others', () => {
    const p = choose('', 'x64');
    assert.is(withSettings(p, { heartbeatMs: 1000, leaseMs: 3000 }).heartbeatMs, 1000);
    assert.equal(withSettings(p, { heartbeatMs: -1, toString: 5, x: 1 }), p);
    const slow = withSettings(p, { heartbeatMs: 10_000 });
    assert.ok(slow.leaseMs > slow.heartbeatMs);
  });
});
