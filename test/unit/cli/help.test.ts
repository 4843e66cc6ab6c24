import * as assert from 'uvu/assert';
import { coxCommand } from '../../../cli/commands.ts';
import { spec } from '../../spec.ts';

type Cox = ReturnType<typeof coxCommand>;

function helpOf(command: Cox): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text;
}

const all = (command: Cox): Cox[] => [command, ...command.commands.flatMap((child) => all(child as Cox))];

spec('help of cox', (it) => {
  for (const command of all(coxCommand())) {
    const name = command.name();
    // What hub and agent print is theirs; `help` is the library's.
    if (['hub', 'agent', 'help'].includes(name)) continue;
    it(`${name}: fits 80 columns and shows an example`, () => {
      const text = helpOf(command);
      for (const line of text.split('\n')) assert.ok(line.length <= 80, `${line.length}: ${line}`);
      assert.match(text, /\n.*(Example|first cluster).*:\n {2}cox|\n.*Example.*:\n {2}kubectl/);
    });
  }
});
