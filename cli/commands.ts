/** The command line of `cox`: names, flags and help. What the commands do is in the files beside. */
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { VERSION } from '../kit/version.ts';
import { CliError } from './cli-error.ts';
import { surgeDrill } from './drill.ts';
import { type HubClient, openHub } from './hub-client.ts';
import { joinCluster } from './join.ts';
import { findKubeconfig, kubeconfigCandidates, mergeKubeconfig } from './kubeconfig.ts';
import { createToken, deleteToken, isLoopback, listTokens } from './token.ts';
import { topNodes } from './top.ts';

const KUBECONFIG = [
  '--kubeconfig <path>',
  'kubeconfig of the hub (default: $KUBECONFIG, the hub of this machine, ~/.kube/config)',
] as const;
const env = (): string | undefined => process.env['KUBECONFIG'];
const print = (text: string): void => {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
};

/** Runs one command; rejects with CliError. Help, version and wrong flags end the process as commander does. */
export async function runCommand(argv: readonly string[]): Promise<void> {
  await coxCommand().parseAsync([...argv], { from: 'user' });
}

/** The tree of commands with their flags and help. */
export function coxCommand(): Command {
  const cox = new Command('cox')
    .description('Coxswain runs containers on fleets of small devices.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this text')
    .helpCommand('help [command]', 'print the text of a command')
    .configureHelp({ helpWidth: 80 })
    .showHelpAfterError('(cox COMMAND --help shows examples)');
  programs(cox);
  addJoin(cox);
  addToken(cox);
  addKubeconfig(cox);
  addTop(cox);
  addDrill(cox);
  cox
    .command('version')
    .description('print the version')
    .addHelpText('after', '\nExample:\n  cox version')
    .action(() => print(VERSION));
  cox.addHelpText(
    'after',
    `
A first cluster:
  cox hub                        start the hub: systemctl start coxswain-hub
  cox token create               on the hub: print the line to join with
  cox join https://HUB:6443 ...  on the device: that line
  cox agent                      on the device: start the agent
  cox top                        see the devices
  kubectl --kubeconfig "$(cox kubeconfig)" get nodes`,
  );
  return cox;
}

/** Listed for the help only: `main.ts` runs them. */
function programs(cox: Command): void {
  cox.command('hub').description('run the hub; its flags: cox hub --help');
  cox.command('agent').description('run the agent of a device; its flags: cox agent --help');
}

interface JoinFlags {
  readonly token: string;
  readonly caHash: string;
  readonly nodeName: string;
  readonly dataDir: string;
  readonly replace?: boolean;
  readonly force?: boolean;
}

function addJoin(cox: Command): void {
  cox
    .command('join <url>')
    .description('make this machine a device of the hub at URL')
    .requiredOption('--token <token>', 'one-time token')
    .requiredOption('--ca-hash <hash>', 'sha256:… of the hub’s CA, by which the hub is known')
    .option('--node-name <name>', 'name of this device', hostname().toLowerCase())
    .option('--data-dir <path>', 'where the device keeps its state', '/var/lib/coxswain')
    .option('--replace', 'take the name of a node that is alive')
    .option('--force', 'join although this machine has an identity')
    .addHelpText(
      'after',
      `
The hub prints the whole line (cox token create). Examples:
  cox join https://192.0.2.10:6443 --token abcdef.0123… --ca-hash sha256:6f1e…
  cox join https://192.0.2.10:6443 --token … --ca-hash … --node-name kitchen`,
    )
    .action(async (url: string, flags: JoinFlags) => {
      const { replace = false, force = false } = flags;
      const hub = await joinCluster({ ...flags, url, replace, force, nowMs: Date.now() });
      print(`Joined as ${hub.nodeName} (cluster ${hub.cluster}).`);
      print(`Start the agent: cox agent --data-dir ${flags.dataDir}`);
    });
}

interface HubFlags {
  readonly kubeconfig?: string;
}

const LOOPBACK_NOTE =
  'cox: only this machine can join with this line. To let others in, give the hub\nan address they reach: cox hub --advertise ADDRESS\n';

function addToken(cox: Command): void {
  const token = cox
    .command('token')
    .description('one-time tokens that let devices join')
    .addHelpText('after', '\nExamples:\n  cox token create\n  cox token list\n  cox token delete abcdef');
  const withHub =
    (act: (hub: HubClient, ...rest: string[]) => Promise<string>) =>
    async (flags: HubFlags, ...rest: string[]): Promise<void> =>
      print(await act(await openHub(flags.kubeconfig, env()), ...rest));
  token
    .command('create')
    .description('print the one line that lets one device join')
    .option('--ttl <duration>', 'how long the token is good: 30m, 24h, 7d', '24h')
    .option('--url <url>', 'address of the hub as devices reach it')
    .option(...KUBECONFIG)
    .addHelpText(
      'after',
      '\nExamples:\n  cox token create\n  cox token create --ttl 30m --url https://hub.example:6443',
    )
    .action((flags: HubFlags & { ttl: string; url?: string }) => {
      const { ttl, url } = flags;
      const options = { ttl, nowMs: Date.now(), ...(url === undefined ? {} : { url }) };
      return withHub(async (hub) => {
        const created = await createToken(hub, options);
        if (isLoopback(created.url)) process.stderr.write(LOOPBACK_NOTE);
        return created.line;
      })(flags);
    });
  token
    .command('list')
    .description('show the tokens that are good, without their secrets')
    .option(...KUBECONFIG)
    .addHelpText('after', '\nExample:\n  cox token list')
    .action((flags: HubFlags) => withHub((hub) => listTokens(hub, Date.now()))(flags));
  token
    .command('delete <id>')
    .description('take a token back')
    .option(...KUBECONFIG)
    .addHelpText('after', '\nExample:\n  cox token delete abcdef')
    .action((id: string, flags: HubFlags) => withHub((hub) => deleteToken(hub, id))(flags));
}

function addKubeconfig(cox: Command): void {
  cox
    .command('kubeconfig')
    .description('print the path of the kubeconfig')
    .option(...KUBECONFIG)
    .option('--print', 'print its content instead')
    .option('--merge [path]', 'put it into another kubeconfig and make it current (default: ~/.kube/config)')
    .addHelpText(
      'after',
      '\nExamples:\n  kubectl --kubeconfig "$(cox kubeconfig)" get nodes\n  cox kubeconfig --merge && kubectl get nodes',
    )
    .action(async (flags: HubFlags & { print?: boolean; merge?: string | boolean }) => {
      const { path, text } = await findKubeconfig(kubeconfigCandidates(flags.kubeconfig, env()));
      if (flags.merge === undefined) return print(flags.print === true ? text : path);
      const target = typeof flags.merge === 'string' ? flags.merge : join(homedir(), '.kube/config');
      await mergeKubeconfig(path, text, target);
      print(`merged into ${target}`);
    });
}

function addTop(cox: Command): void {
  cox
    .command('top')
    .description('show the devices with live CPU, memory, temperature and pods')
    .option(...KUBECONFIG)
    .addHelpText(
      'after',
      '\nExamples:\n  cox top\n  watch cox top\n\nTEMP with ! means the board is slowed down now (heat or under-voltage).',
    )
    .action(async (flags: HubFlags) => print(await topNodes(await openHub(flags.kubeconfig, env()))));
}

function addDrill(cox: Command): void {
  const drill = cox
    .command('drill')
    .description('try what the fleet does, with pods of its own')
    .addHelpText('after', '\nExample:\n  cox drill surge --to 60');
  drill
    .command('surge')
    .description('start many replicas at once and measure until all are ready')
    .option('--from <n>', 'replicas before and after', whole, 2)
    .option('--to <n>', 'replicas at the height of the surge', whole, 60)
    .option('--image <image>', 'image to run; it must have a sleep command', 'busybox:latest')
    .option('--timeout <seconds>', 'longest any step may take', whole, 300)
    .option('--keep', 'leave the namespace and its pods')
    .option(...KUBECONFIG)
    .addHelpText(
      'after',
      `
It makes a namespace cox-drill-… and removes it in the end, also when it fails.
Nothing else is touched; running pods only feel the load. Examples:
  cox drill surge
  cox drill surge --from 10 --to 200 --timeout 900
  cox drill surge --image registry.example/app:3 --keep`,
    )
    .action(async (flags: HubFlags & DrillFlags) => {
      if (flags.to <= flags.from) throw new CliError('--to must be more than --from');
      const hub = await openHub(flags.kubeconfig, env());
      const { timeout: timeoutSeconds, keep = false, ...rest } = flags;
      const interrupted = new AbortController();
      process.once('SIGINT', () => interrupted.abort());
      const drillOptions = { ...rest, timeoutSeconds, keep };
      print(await surgeDrill(hub, drillOptions, showProgress(), interrupted.signal));
    });
}

interface DrillFlags {
  readonly from: number;
  readonly to: number;
  readonly image: string;
  readonly timeout: number;
  readonly keep?: boolean;
}

function whole(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** One line that is written over on a terminal; elsewhere a line for every tenth of the way. */
function showProgress(): (ready: number, wanted: number, seconds: number) => void {
  const { stderr } = process;
  let told = '';
  return (ready, wanted, seconds) => {
    const share = wanted === 0 ? 10 : Math.floor((ready * 10) / wanted);
    const key = stderr.isTTY ? `${ready}/${wanted}` : `${share}/${wanted}`;
    if (key === told) return;
    told = key;
    const text = `${ready} of ${wanted} pods ready, ${seconds.toFixed(1)} s`;
    stderr.write(stderr.isTTY ? `\r\x1b[K${text}${ready === wanted ? '\n' : ''}` : `${text}\n`);
  };
}
