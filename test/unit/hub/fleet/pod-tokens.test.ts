import * as assert from 'uvu/assert';
import type { Change } from '../../../../hub/cluster.ts';
import { PodTokens, type PodTokensDeps } from '../../../../hub/fleet/pod-tokens.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { conflict } from '../../../../protocol/status.ts';
import { pod } from '../../../build/workloads.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

const MINUTE_MS = 60_000;

const asking = (name: string, expirationSeconds = 3600): Pod => {
  const base = pod(name, { node: 'n1' });
  const sources = [{ serviceAccountToken: { path: 'token', expirationSeconds } }];
  return { ...base, spec: { ...base.spec, volumes: [{ name: 'v', projected: { sources } }] } };
};

/** One node with pods and accounts that tests change at will. */
class World {
  readonly clock = new ManualClock();
  readonly pods: Pod[] = [];
  readonly accounts = new Map([['default', 'account-1']]);
  readonly heard = new Set(['n1']);
  readonly events: string[] = [];
  triggers = 0;
  made = 0;
  refusal: Error | undefined;
  readonly tokens: PodTokens;

  constructor(...pods: Pod[]) {
    this.pods.push(...pods);
    const view: unknown = {
      get: (_kind: string, _namespace: string, name: string) => {
        const uid = this.accounts.get(name);
        return uid === undefined ? undefined : { metadata: { name, uid } };
      },
      list: () => this.pods,
      byUid: (_kind: string, uid: string) => this.pods.find((p) => p.metadata.uid === uid),
    };
    this.tokens = new PodTokens(
      {
        view: view as PodTokensDeps['view'],
        clock: this.clock,
        events: { record: (note) => this.events.push(note.message) },
      },
      { issueNow: () => this.#make() },
      {
        isHeard: (node) => this.heard.has(node),
        trigger: () => {
          this.triggers += 1;
          this.bring();
        },
      },
    );
  }

  bring(): string[] {
    return this.tokens.bring('n1', this.pods).map((item) => item.rev);
  }

  /** The pod goes from the view. */
  drop(gone: Pod): void {
    this.pods.splice(this.pods.indexOf(gone), 1);
    this.tokens.onChange(change('Pod', 'deleted', gone));
  }

  #make(): { token: string } {
    if (this.refusal !== undefined) throw this.refusal;
    this.made += 1;
    return { token: `token-${this.made}` };
  }
}

const change = (kind: string, type: Change['type'], object: KubeObject): Change => ({
  type,
  kind,
  revision: 1,
  object,
});

spec('PodTokens', (it) => {
  it('brings the same items while nothing is due, and costs nothing without pods that ask', () => {
    const idle = new World(pod('plain', { node: 'n1' }));
    assert.equal([idle.bring(), idle.clock.pending, idle.made], [[], 0, 0]);
    const world = new World(asking('a'), asking('b', 600), pod('plain', { node: 'n1' }));
    const first = world.bring();
    assert.is(first.length, 2);
    assert.equal(world.bring(), first);
    assert.equal([world.made, world.clock.pending], [2, 1]);
  });

  it('looks at the earliest, with one timer, until no pod is left', async () => {
    const [a, b] = [asking('a'), asking('b', 600)];
    const world = new World(a, b);
    world.bring();
    await world.clock.advance(8 * MINUTE_MS);
    assert.equal([world.triggers, world.made, world.clock.pending], [1, 3, 1]);
    world.drop(b);
    await world.clock.advance(39 * MINUTE_MS);
    assert.equal([world.triggers, world.made, world.clock.pending], [1, 3, 1]);
    await world.clock.advance(MINUTE_MS);
    assert.equal([world.triggers, world.made, world.clock.pending], [2, 4, 1]);
    world.drop(a);
    assert.is(world.clock.pending, 0);
  });

  it('leaves devices that are away alone, until they are back', async () => {
    const world = new World(asking('a', 600));
    world.bring();
    world.heard.clear();
    await world.clock.advance(60 * MINUTE_MS);
    world.bring();
    await world.clock.advance(MINUTE_MS);
    assert.equal([world.triggers, world.made, world.clock.pending], [0, 1, 0]);
    world.heard.add('n1');
    world.bring();
    assert.equal([world.made, world.clock.pending], [2, 1]);
  });

  it('notices within ten minutes that the clock was set', async () => {
    const world = new World(asking('a', 86_400));
    world.bring();
    world.clock.jumpWall(world.clock.nowMs() + 86_400_000);
    await world.clock.advance(10 * MINUTE_MS);
    assert.is(world.made, 2);
  });

  it('makes no more for pods that have ended', async () => {
    const world = new World(asking('a', 600));
    const before = world.bring();
    world.pods.splice(0, 1, { ...asking('a', 600), status: { phase: 'Succeeded' } });
    await world.clock.advance(20 * MINUTE_MS);
    assert.equal(world.bring(), before, 'the item stays as it is');
    assert.equal([world.made, world.clock.pending], [1, 0]);
  });

  it('tells once that the account is missing, and asks for a look when it comes', () => {
    const subject = asking('a');
    const world = new World(subject);
    world.accounts.clear();
    assert.equal([world.bring(), world.bring(), world.events.length], [[], [], 1]);
    world.accounts.set('default', 'account-2');
    const account = { ...subject, metadata: { ...subject.metadata, name: 'default' } };
    world.tokens.onChange(change('ServiceAccount', 'added', account));
    assert.equal([world.triggers, world.made], [1, 1]);
  });

  it('keeps what it has when the pod is replaced under its feet, and lets other faults rise', () => {
    const world = new World(asking('a'));
    world.refusal = conflict({ kind: 'Pod', group: '', plural: 'pods' }, 'a', 'other uid');
    assert.equal(world.bring(), []);
    world.refusal = new Error('no key');
    assert.throws(() => world.bring(), /no key/);
  });
});
