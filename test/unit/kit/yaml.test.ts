import { setImmediate as turn } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { fromYaml } from '../../../kit/yaml.ts';
import { spec } from '../../spec.ts';

spec('fromYaml', (it) => {
  it("does not write what it thinks of a stranger's text to the log of the process", async () => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', note);
    try {
      assert.equal(fromYaml('%ODD directive\n---\na: 1\n'), { a: 1 });
      await turn();
    } finally {
      process.off('warning', note);
    }
    assert.equal(warnings, []);
  });
});
