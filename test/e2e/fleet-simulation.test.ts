/** A fleet of simulated devices and a real hub: what must hold of many pods on many nodes, whatever happens to them. */
import * as assert from 'uvu/assert';
import { Storm } from '../simulator/storm.ts';
import { spec } from '../spec.ts';

const DEVICES = 40;
const PODS = 400;
const WEB = 60;

let storm: Storm;

spec(
  'a fleet of forty devices with four hundred pods',
  (it) => {
    it('schedules all of them, evenly, each with an address of its own', async () => {
      await storm.deploy('many', PODS);
      const { ledger } = storm;
      const perNode = [...ledger.perNode().values()];
      assert.is(perNode.length, DEVICES);
      const [least, most] = [Math.min(...perNode), Math.max(...perNode)];
      assert.ok(most - least <= 5, `nodes have ${least} to ${most} pods`);
      assert.equal(ledger.sharedAddresses(), []);
    });

    it('rolls an update without ever going below what was promised', async () => {
      await storm.deploy('web', WEB);
      storm.ledger.setFloor('web', Math.floor(WEB * 0.95));
      await storm.roll('web', WEB);
      storm.ledger.clearFloor('web');
      assert.is(storm.ledger.readyOf('web', 'busybox:2'), WEB);
    });

    it('replaces the pods of ten nodes that fall silent together, and touches no other pod', async () => {
      const [group] = storm.fleet.groups;
      if (group === undefined) throw new Error('no devices');
      const lost = new Set(group.names);
      const others = storm.ledger.uidsNotOn(lost);
      await storm.lose(group, 'many', PODS);
      await storm.until('web is whole again', () => storm.ledger.readyOf('web') === WEB);
      const after = storm.ledger.uidsNotOn(lost);
      assert.equal(
        [...others].filter((uid) => !after.has(uid)),
        [],
      );
      assert.equal(storm.ledger.sharedAddresses(), []);
    });

    it('takes the nodes back, removes what was replaced, and moves nothing', async () => {
      const [group] = storm.fleet.groups;
      if (group === undefined) throw new Error('no devices');
      const lost = new Set(group.names);
      const before = storm.ledger.uidsNotOn(lost);
      storm.fleet.wake(group);
      await storm.until('all nodes ready', () => storm.ledger.readyNodes.size === DEVICES);
      await storm.until('replaced pods gone', () => storm.ledger.total === PODS + WEB);
      assert.equal(storm.ledger.uidsNotOn(lost), before);
      assert.is(storm.ledger.readyOf('many'), PODS);
    });

    it('has never moved a pod that was bound, and never broke a promise', () => {
      assert.equal(storm.ledger.broken, []);
      assert.is(storm.ledger.restarts, 0, 'the watch has seen all of it');
    });
  },
  {
    caseTimeoutMs: 180_000,
    before: async () => {
      storm = await Storm.start({ devices: DEVICES, perProcess: 10, limitMs: 120_000, bundled: false });
    },
    after: () => storm.stop(),
  },
);
