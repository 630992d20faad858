import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import pc from 'picocolors';

export interface OutputOptions {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  colour: boolean;
}

export interface Progress {
  update(value: number, total?: number): void;
  stop(): void;
}

export type Cell = string | number | boolean | null | undefined;

/** Results go to standard output, everything else to standard error, so that a pipe gets results only. */
export class Output {
  readonly colours: ReturnType<typeof pc.createColors>;

  constructor(
    private readonly options: OutputOptions,
    private readonly stdout: NodeJS.WriteStream = process.stdout,
    private readonly stderr: NodeJS.WriteStream = process.stderr,
  ) {
    this.colours = pc.createColors(options.colour);
  }

  get json(): boolean {
    return this.options.json;
  }

  /** Whether someone watches: bars and live views are for them only. */
  get interactive(): boolean {
    return this.stderr.isTTY && !this.options.quiet && !this.options.json;
  }

  /** The answer: as JSON with stable fields, or as text for people. */
  result(value: unknown, text: (colours: Output['colours']) => string): void {
    this.stdout.write(this.options.json ? `${JSON.stringify(value)}\n` : ensureNewline(text(this.colours)));
  }

  table<T extends object>(
    rows: readonly T[],
    columns: Readonly<Record<string, (row: T) => Cell>>,
    value: unknown = rows,
  ): void {
    this.result(value, (colours) => {
      if (rows.length === 0) return colours.dim('nothing');
      const table = new Table({
        head: Object.keys(columns),
        style: { head: [], border: [], compact: true },
        chars: PLAIN,
      });
      for (const row of rows) table.push(Object.values(columns).map((column) => cellText(column(row))));
      return table.toString();
    });
  }

  /** One thing, a field a line. */
  record(value: object, fields: Readonly<Record<string, Cell>>): void {
    const width = Math.max(...Object.keys(fields).map((name) => name.length));
    this.result(value, (colours) =>
      Object.entries(fields)
        .map(([name, cell]) => `${colours.dim(name.padEnd(width))}  ${cellText(cell)}`)
        .join('\n'),
    );
  }

  /** A line of a stream: NDJSON, or text. */
  line(value: unknown, text: (colours: Output['colours']) => string): void {
    this.result(value, text);
  }

  note(text: string): void {
    if (!this.options.quiet) this.stderr.write(`${text}\n`);
  }

  debug(text: string): void {
    if (this.options.verbose) this.stderr.write(`${this.colours.dim(text)}\n`);
  }

  /** What one would do next, for people only. */
  next(...commands: string[]): void {
    if (this.options.json || this.options.quiet || !this.stdout.isTTY) return;
    for (const each of commands) this.stderr.write(`${this.colours.dim('next:')} ${each}\n`);
  }

  /** A bar on a terminal, silence elsewhere. `unit` bytes are shown in MiB. */
  progress(label: string, total: number, unit: 'bytes' | 'devices' = 'bytes'): Progress {
    if (!this.interactive) return { update: () => undefined, stop: () => undefined };
    const format = `${label} {bar} {percentage}%  {value}/{total}  {duration_formatted}`;
    const formatValue = (value: number, _options: unknown, type: string) =>
      unit === 'bytes' && (type === 'value' || type === 'total') ? formatBytes(value) : String(value);
    const bar = new SingleBar({
      format,
      formatValue,
      stream: this.stderr,
      hideCursor: true,
      barsize: 30,
      clearOnComplete: false,
    });
    bar.start(total, 0);
    return {
      update: (value, newTotal) => {
        if (newTotal !== undefined) bar.setTotal(newTotal);
        bar.update(value);
      },
      stop: () => bar.stop(),
    };
  }

  /** Repaints a block of lines in place on a terminal; elsewhere prints it once, at the end. */
  live(): { paint(lines: readonly string[]): void; done(lines: readonly string[]): void } {
    let height = 0;
    const paint = (lines: readonly string[]) => {
      this.stderr.write((height > 0 ? `\x1b[${height}A` : '') + lines.map((each) => `\x1b[2K${each}\n`).join(''));
      height = lines.length;
    };
    return {
      paint: (lines) => (this.interactive ? paint(lines) : undefined),
      done: (lines) => (this.interactive ? paint(lines) : this.options.json ? undefined : this.note(lines.join('\n'))),
    };
  }
}

const PLAIN = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '' },
  ...{ 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ' },
};

const ensureNewline = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

/** Control characters of what others wrote would steer the terminal. */
const cellText = (cell: Cell): string =>
  cell === null || cell === undefined ? '-' : String(cell).replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');

export const formatBytes = (bytes: number): string =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 ** 2
      ? `${(bytes / 1024).toFixed(1)} KiB`
      : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
