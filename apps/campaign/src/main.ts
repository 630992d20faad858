import { DomainError, processLog } from '#runtime/index.js';
import { loadConfig } from '#runtime/nest/runtime.module.js';
import { CampaignConfig } from './campaign.config.js';
import { startCampaign } from './start.js';

const log = processLog('campaign');
const showOnce = (line: string): void => void process.stdout.write(`${line}\n`);
const stopped = new Promise<string>((resolve) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
});
try {
  const campaign = await startCampaign(loadConfig(CampaignConfig), { log, showOnce });
  const { firstLogin, url, handsetUrl } = campaign;
  if (firstLogin !== undefined)
    showOnce(`first administrator ${firstLogin.email} of tenant ${firstLogin.tenant}, password ${firstLogin.password}`);
  campaign.firstShown();
  showOnce(`campaign is ready at ${url} (handsets at ${handsetUrl})`);
  log.info('campaign.stopping', { signal: await stopped });
  await campaign.stop();
} catch (err) {
  // What a person can mend is said in one line; anything else with its stack.
  if (err instanceof DomainError) process.stderr.write(`campaign: ${err.message} ${JSON.stringify(err.details)}\n`);
  else log.error('campaign.failed', { err });
  process.exitCode = 1;
}
