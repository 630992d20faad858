import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Processes and folders of this test process, kept in a file for one that outlives it: a run that fails in its set-up, is
 * interrupted or killed runs no clean-up of its own. A process is known by its number and its start, as numbers come again.
 */
const processes = new Map<number, string>();
const folders = new Set<string>();
let file: string | undefined;

/** Ends the process once the test's own has ended. @returns forgets it: it has ended by itself */
export function endWithUs(pid: number): () => void {
  processes.set(pid, startOf(pid));
  note();
  return () => {
    processes.delete(pid);
    note();
  };
}

/** In the kernel's ticks where it says them: the seconds of `ps` are reckoned anew each time, and may come out one apart. */
const STARTED = `
started() {
  if [ -r /proc/self/stat ]; then sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
  else echo $(ps -o lstart= -p "$1" 2>/dev/null); fi
}`;

export const startOf = (pid: number): string =>
  spawnSync('sh', ['-c', `${STARTED}\nstarted "$1"`, 'sh', String(pid)], { encoding: 'utf8' }).stdout.trim();

/** Removes the folder once the test's own process has ended, after all that may work in it. */
export function removeWithUs(folder: string): void {
  folders.add(folder);
  note();
}

function note(): void {
  file ??= watched().notes;
  writeFileSync(path.join(file, 'processes'), [...processes].map(([pid, since]) => `${pid} ${since}\n`).join(''));
  writeFileSync(path.join(file, 'folders'), [...folders, ''].join('\n'));
}

/**
 * Waits for the end of its input, which is the end of us. Servers are asked first, so that they stop the Postgres that they
 * started; what has not gone after 20 s is killed.
 */
const WATCH = `${STARTED}
is() { [ -n "$2" ] && [ "$(started "$1")" = "$2" ]; }
tell() { while read -r pid since; do is "$pid" "$since" && kill "$1" "$pid" 2>/dev/null; done < "$folder/processes"; }
folder=$1
cat > /dev/null
tell -TERM
for second in $(seq 20); do
  left=
  while read -r pid since; do is "$pid" "$since" && left=1; done < "$folder/processes"
  [ -z "$left" ] && break
  sleep 1
done
tell -KILL
while IFS= read -r each; do rm -rf -- "$each"; done < "$folder/folders"
rm -rf -- "$folder"`;

/**
 * The process that outlives us, in a session of its own: a Ctrl-C in the terminal, which ends us, passes it by.
 * @returns the folder of its notes, and what tells it that we are gone before we are
 */
export function watched(): { notes: string; end: () => void } {
  const notes = mkdtempSync(path.join(tmpdir(), 'muster-left-behind-'));
  const watcher = spawn('sh', ['-c', WATCH, 'sh', notes], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watcher.unref();
  (watcher.stdin as Socket).unref(); // its end is ours, however that comes
  return { notes, end: () => watcher.stdin?.end() };
}
