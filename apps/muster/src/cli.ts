#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { CliError, EXIT, EXIT_CODES_HELP } from './cli/exit-codes.js';
import { program } from './cli/program.js';
import { commands, nouns } from './commands.js';

/** One run of the command line. @returns the exit code */
async function main(args: string[]): Promise<number> {
  if (args[0] === 'help' && args[1] === 'exit-codes') {
    process.stdout.write(EXIT_CODES_HELP);
    return EXIT.ok;
  }
  // Not an option of the parser: `content publish --version 2.4` means another one.
  if (args[0] === '--version') {
    process.stdout.write(`${version()}\n`);
    return EXIT.ok;
  }
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  process.once('SIGTERM', () => abort.abort());
  try {
    await program(commands, nouns, version(), abort.signal).parseAsync(args, { from: 'user' });
    return abort.signal.aborted ? EXIT.interrupted : Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    return report(error, args.includes('--json'), abort.signal.aborted);
  }
}

function report(error: unknown, json: boolean, isInterrupted: boolean): number {
  // Commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (isInterrupted) return EXIT.interrupted;
  const known = error instanceof CliError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (json && known?.problem !== undefined) process.stderr.write(`${JSON.stringify(known.problem)}\n`);
  else process.stderr.write(`muster: ${message}\n${known?.hint === undefined ? '' : `try: ${known.hint}\n`}`);
  return known?.exitCode ?? EXIT.failed;
}

function version(): string {
  const manifest = new URL('../../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

// A reader that has enough (`muster event tail | head`) closes the pipe: that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
