import { expect, it } from 'vitest';
import { silentLog, systemClock } from '#runtime/index.js';
import { register } from 'prom-client';
import { Catalogues } from './catalogues.js';
import { RoleExpiry } from './role-expiry.js';
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
  const duties = [duty(fails), duty(async () => void done.push('uploads')), duty(fails)];
  await new PerTenant(duties, silentLog).tick('acme');
  expect(done).toEqual(['uploads']);
});

it('warns once a day from half the life of what people sign, and shows every expiry as a metric', async () => {
  const DAY = 86_400_000;
  const clock = { at: 0, now: () => clock.at };
  const warned: unknown[] = [];
  const status = async () => [
    { role: 'root', online: false, due: true, expiresAt: new Date(10 * DAY).toISOString() },
    { role: 'snapshot', online: true, due: true, expiresAt: new Date(DAY).toISOString() },
    { role: 'grant', online: true, due: false, expiresAt: null },
  ];
  const log = { ...silentLog, warn: (event: string, fields?: object) => void warned.push([event, fields]) };
  const parts = [{ names: async () => new Set(['main']) }, { status }, clock, log];
  const expiry = Reflect.construct(RoleExpiry, parts) as RoleExpiry;
  expiry.onModuleInit();
  for (const hours of [0, 1, 23]) {
    clock.at = hours * 3_600_000;
    await expiry.tick('acme');
  }
  expect(warned).toMatchObject([['keys.due', { tenant: 'acme', channel: 'main', role: 'root' }]]);
  clock.at = DAY;
  await expiry.tick('acme');
  expect(warned).toHaveLength(2);
  const metrics = await register.getSingleMetricAsString('muster_tuf_role_expiry_seconds');
  expect(metrics).toContain(`muster_tuf_role_expiry_seconds{role="root"} ${9 * 86_400}`);
});
