import * as assert from 'uvu/assert';
import { spec } from '../../spec.ts';
import { shell } from './shell.ts';

const policy = (candidate: string): string =>
  `echo "$2:"; echo "  Installed: (none)"; echo "  Candidate: ${candidate}"`;

spec('candidate_of', (it) => {
  const cases = [
    ['is the version that would be installed', policy('20.19.2+dfsg-1'), '20.19.2+dfsg-1'],
    ['is empty for a name that others only mention', policy('(none)'), ''],
    ['is empty for a name nobody knows', ':', ''],
  ] as const;
  for (const [name, program, version] of cases)
    it(name, () =>
      assert.is(shell(['common', 'packages'], 'candidate_of nodejs', { 'apt-cache': program }), version),
    );
});
