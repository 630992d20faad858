import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Processes and folders of this test process, kept in a file for one that outlives it: a run that fails in its set-up, is
 * interrupted or killed runs no clean-up of its own.
 */
const processes = new Set<number>();
const folders = new Set<string>();
let file: string | undefined;

/** Ends the process, by this number, once the test's own has ended. @returns forgets it: it has ended by itself */
export function endWithUs(pid: number): () => void {
  processes.add(pid);
  note();
  return () => {
    processes.delete(pid);
    note();
  };
}

/** Removes the folder once the test's own process has ended, after all that may work in it. */
export function removeWithUs(folder: string): void {
  folders.add(folder);
  note();
}

function note(): void {
  file ??= watched();
  writeFileSync(path.join(file, 'processes'), [...processes, ''].join('\n'));
  writeFileSync(path.join(file, 'folders'), [...folders, ''].join('\n'));
}

/** Servers are asked first, so that they stop the Postgres that they started; what has not gone after 20 s is killed. */
const WATCH = `
while kill -0 "$1" 2>/dev/null; do sleep 1; done
left=$(cat "$2/processes")
for pid in $left; do kill -TERM "$pid" 2>/dev/null; done
for second in $(seq 20); do
  for pid in $left; do kill -0 "$pid" 2>/dev/null && sleep 1 && continue 2; done
  break
done
for pid in $left; do kill -KILL "$pid" 2>/dev/null; done
while IFS= read -r folder; do rm -rf -- "$folder"; done < "$2/folders"
rm -rf -- "$2"`;

/** A session of its own: a Ctrl-C in the terminal, which ends us, passes it by. */
function watched(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-left-behind-'));
  const watcher = spawn('sh', ['-c', WATCH, 'sh', String(process.pid), folder], { detached: true, stdio: 'ignore' });
  watcher.unref();
  return folder;
}
