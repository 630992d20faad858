import { processLog } from '#runtime/index.js';
import { loadConfig } from '#runtime/nest/runtime.module.js';
import { InsightConfig } from './insight.config.js';
import { startInsight } from './start.js';

const log = processLog('insight');
const stopped = new Promise<string>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
});
try {
  const insight = await startInsight(loadConfig(InsightConfig), log);
  process.stdout.write(`insight is ready at ${insight.url}\n`);
  log.info('insight.stopping', { signal: await stopped });
  await insight.stop();
} catch (err) {
  log.error('insight.failed', { err });
  process.exitCode = 1;
}
