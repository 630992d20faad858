import { DomainError, processLog } from '#runtime/index.js';
import { loadConfig } from '#runtime/nest/runtime.module.js';
import { MusterConfig } from './muster.config.js';
import { startMuster } from './start.js';
import { welcome } from './welcome.js';

const log = processLog('muster');
const showOnce = (line: string): void => void process.stdout.write(`${line}\n`);

try {
  // Heard from the first moment: a start that is told to stop finishes, then stops, and leaves nothing half done.
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
  const muster = await startMuster(loadConfig(MusterConfig), { log, showOnce });
  if (muster.first !== undefined) process.stdout.write(welcome(muster.first));
  muster.firstShown();
  // Since the process began, loading of modules included.
  const readyInMs = Math.round(performance.now());
  process.stdout.write(`muster is ready at ${muster.url} (handsets at ${muster.handsetUrl}) after ${readyInMs} ms\n`);
  const died = muster.databaseDied.then(() => 'database-died');
  const reason = await Promise.race([stopped, died]);
  log.info('muster.stopping', { reason });
  if (reason === 'database-died') process.exitCode = 1; // whoever watches starts anew, and Postgres recovers then
  await muster.stop();
  log.info('muster.stopped');
} catch (error) {
  // What a person can mend is said in one line; anything else with its stack.
  if (error instanceof DomainError) process.stderr.write(`muster: ${error.message} ${JSON.stringify(error.details)}\n`);
  else log.error('muster.failed', { err: error });
  process.exitCode = 1;
}
