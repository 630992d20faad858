import { Command } from 'commander';
import { expect, it } from 'vitest';
import { addFleetCommand } from './fleet-command.js';

/** What is said to a command line that is refused before anything is done. */
async function refusalOf(...args: string[]): Promise<string> {
  const said: string[] = [];
  const program = new Command().exitOverride().configureOutput({ writeErr: (text) => said.push(text) });
  addFleetCommand(program);
  const whole = ['fleet', 'https://127.0.0.1:1', '--ca', 'aa', '--codes', '/nowhere/codes', ...args];
  await expect(program.parseAsync(whole, { from: 'user' })).rejects.toMatchObject({ exitCode: 1 });
  return said.join('');
}

it.each([
  [['--arrival', 'foo'], 'Allowed choices are poll, network'],
  [['--enrol-at-once', '0'], 'not a whole number from 1'],
  [['--enrol-at-once', '0.5'], 'not a whole number from 1'],
  [['--cut', '2'], 'not a share from 0 to 1'],
  [['--rate', '20,40'], '--seconds'],
])('refuses %j: %s', async (args, said) => expect(await refusalOf(...args)).toContain(said));

it('says in its help what each option does', () => {
  const program = new Command();
  addFleetCommand(program);
  expect(program.commands[0]!.options.filter(({ description }) => description === '')).toEqual([]);
});
