import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { funnelLines } from './funnel.js';
import { formatBytes, Output } from './output.js';

function screen(json: boolean, isTTY: boolean) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()].map(
    (stream) => Object.assign(stream, { isTTY }) as unknown as NodeJS.WriteStream,
  );
  const out = new Output({ json, quiet: false, verbose: false, colour: false }, stdout, stderr);
  const read = (stream: NodeJS.WriteStream | undefined) => String((stream as unknown as PassThrough).read() ?? '');
  return { out, stdout: () => read(stdout), stderr: () => read(stderr) };
}

const ESCAPE = '\u001b';

describe('output', () => {
  it('puts results on standard output and remarks on standard error', () => {
    const { out, stdout, stderr } = screen(false, false);
    out.result({ id: 1 }, () => 'one');
    out.note('a remark');
    expect([stdout(), stderr()]).toEqual(['one\n', 'a remark\n']);
  });

  it('prints JSON, a line each, when asked', () => {
    const { out, stdout } = screen(true, true);
    out.line({ n: 1 }, () => 'one');
    out.table([{ n: 2 }], { n: ({ n }) => n });
    expect(stdout()).toBe('{"n":1}\n[{"n":2}]\n');
  });

  it.each([
    [true, true],
    [false, false],
  ])('draws no bars and gives no hints with json %s on a terminal %s', (json, isTTY) => {
    const { out, stderr } = screen(json, isTTY);
    const bar = out.progress('file', 10);
    bar.update(5);
    bar.stop();
    out.next('muster me');
    out.live().paint(['line']);
    expect(stderr()).toBe('');
  });

  it('takes the control characters out of what others wrote', () => {
    const { out, stdout } = screen(false, false);
    out.record({}, { label: `${ESCAPE}[2Jgone` });
    expect(stdout()).not.toContain(ESCAPE);
  });

  it('shows the funnel relative to those who polled, and where devices dropped', () => {
    const funnel = { polled: 10, matched: 5, requested: 5, transferred: 0, installed: 0, confirmed: 0 };
    const dropped = [{ kind: 'declined', reason: 'no-fit', devices: 5 }];
    const { colours } = screen(false, false).out;
    const lines = funnelLines({ campaignId: 'c', name: 'W', status: 'running', funnel, dropped }, colours);
    expect(lines).toHaveLength(8);
    expect(lines[1]).toContain('█'.repeat(30));
    expect(lines[2]).toContain(`${'█'.repeat(15)}${'·'.repeat(15)} 5`);
    expect(lines.at(-1)).toContain('declined no-fit: 5');
  });

  it('writes bytes in binary units', () => {
    expect([1023, 1024, 1.5 * 1024 ** 2].map(formatBytes)).toEqual(['1023 B', '1.0 KiB', '1.5 MiB']);
  });
});
