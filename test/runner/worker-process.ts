import { type ChildProcess, spawn } from 'node:child_process';
import { END, type FileEnd } from './file-end.ts';

/** What a worker printed while it ran a file, and how that ended: with the file's end, the worker's own, or at the deadline. */
export interface FileRun {
  readonly output: string;
  readonly end: FileEnd | { readonly exitCode: number | null } | 'hung';
}

/** A process in a group of its own that runs test files, one at a time; after an `end` other than the file's it is gone. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<{ readonly exitCode: number | null }>;
  #isClosed = false;
  #output = '';
  #fileEnded: (end: FileEnd) => void = () => undefined;

  /** Starts it; `script` is the JavaScript of test/runner/worker.ts. */
  constructor(script: string, cwd: string) {
    this.#child = spawn(process.execPath, [script], {
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FORCE_COLOR: '0' },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    this.#closed = new Promise((resolve) => {
      this.#child.once('close', (exitCode) => {
        this.#isClosed = true;
        resolve({ exitCode });
      });
    });
  }

  /** Runs one file of JavaScript; what does not end in time is killed with all its children. */
  async run(path: string, limitMs: number): Promise<FileRun> {
    this.#output = '';
    const ended = new Promise<FileEnd>((resolve) => {
      this.#fileEnded = resolve;
    });
    this.#send({ path });
    const end = await this.#within(limitMs, Promise.race([ended, this.#closed]));
    return { output: this.#output, end };
  }

  /** Lets it end by itself; false when it did not within `limitMs` and was killed, or ended with an error. */
  async stop(limitMs: number): Promise<boolean> {
    // Disconnecting from this side would keep 'close' from ever coming.
    this.#send({});
    const end = await this.#within(limitMs, this.#closed);
    return end !== 'hung' && end.exitCode === 0;
  }

  /** Kills it with all its children. */
  kill(): void {
    if (this.#child.pid === undefined || this.#isClosed) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // none of them is left
    }
  }

  /** A process that is gone takes nothing, and says so by having ended. */
  #send(order: { readonly path?: string }): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }

  async #within<T>(limitMs: number, ended: Promise<T>): Promise<T | 'hung'> {
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<'hung'>((resolve) => {
      deadline = setTimeout(() => resolve('hung'), limitMs);
    });
    const end = await Promise.race([ended, late]);
    clearTimeout(deadline);
    if (end === 'hung') this.kill();
    return end;
  }

  #take(text: string): void {
    this.#output += text;
    const at = this.#output.indexOf(END);
    const until = this.#output.indexOf('\n', at);
    if (at < 0 || until < 0) return;
    const end = JSON.parse(this.#output.slice(at + END.length, until)) as FileEnd;
    this.#output = this.#output.slice(0, at) + this.#output.slice(until + 1);
    this.#fileEnded(end);
  }
}
