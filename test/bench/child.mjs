/** The other side of child.ts: prepares a job, waits for the word, does it once, and says what it did. */
import { resourceUsage } from 'node:process';

/**
 * @param jobs  by kind: prepares (and warms up) and answers what is to be measured, which answers how many operations it was
 */
export function serve(jobs) {
  let work;
  let backends = async () => [];
  const answer = async ({ job }) => {
    if (job !== undefined) {
      ({ work, backends = backends } = await jobs[job.kind](job));
      return { ready: true, backends: await backends() };
    }
    const count = await work();
    return { count, backends: await backends(), peakBytes: resourceUsage().maxRSS * 1024 };
  };
  process.on('message', (message) => {
    answer(message).then(
      (said) => process.send(said),
      (error) => process.send({ failed: String(error?.stack ?? error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}
