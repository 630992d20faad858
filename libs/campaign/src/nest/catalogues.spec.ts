import { expect, it } from 'vitest';
import { silentLog, systemClock } from '#runtime/index.js';
import { Catalogues } from './catalogues.js';
import { PerTenant } from './timer.js';

const duty = (tick: () => Promise<void>) => ({ tick });
const fails = () => Promise.reject(new Error('broken'));

it('publishes the channels behind one that fails, and tries that one again', async () => {
  const published: string[] = [];
  const publish = async (_: string, channel: string) => {
    published.push(channel);
    if (channel === 'broken') throw new Error('no key');
  };
  const names = async () => new Set(['broken', 'main']);
  const board = { tenant: async () => ({ revision: 1 }) };
  const parts = [board, { ensure: async () => undefined, names }, { publish }, systemClock, silentLog];
  const catalogues = Reflect.construct(Catalogues, parts) as Catalogues;
  await catalogues.tick('acme');
  await catalogues.tick('acme');
  expect(published).toEqual(['broken', 'main', 'broken']);
});

it('does the duties behind one that fails', async () => {
  const done: string[] = [];
  const parts = [duty(fails), duty(fails), duty(async () => void done.push('uploads')), silentLog];
  await (Reflect.construct(PerTenant, parts) as PerTenant).tick('acme');
  expect(done).toEqual(['uploads']);
});
