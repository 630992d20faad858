import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { usage } from './exit-codes.js';

/** The text of a file, or of standard input for `-`, without the newline at its end. */
export function readSecretFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw usage(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Asks on the terminal; a secret is not echoed. Without a terminal the first line of standard input is the answer. */
export async function ask(question: string, { secret = false, noInput = false } = {}): Promise<string> {
  if (!process.stdin.isTTY) {
    if (noInput) throw usage(`${question.replace(/[:?]\s*$/, '')} is missing`);
    return readFileSync(0, 'utf8').split(/\r?\n/)[0] ?? '';
  }
  if (noInput) throw usage(`${question.replace(/[:?]\s*$/, '')} is missing, and --no-input forbids to ask`);
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: secret ? silent : process.stderr, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once('line', resolve);
      terminal.once('SIGINT', () => reject(usage('interrupted')));
    });
  } finally {
    terminal.close();
    if (secret) process.stderr.write('\n');
  }
}
