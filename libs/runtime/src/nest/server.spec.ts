import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../log.js';
import { createServer } from './server.js';

class Parts {}

describe('a server', () => {
  it('whose start fails half-way, ends what had begun', async () => {
    const said: string[] = [];
    const relay = {
      onApplicationBootstrap: () => void said.push('begun'),
      onApplicationShutdown: () => void said.push('ended'),
    };
    const projections = {
      async onApplicationBootstrap() {
        await sleep(10);
        throw new Error('the database went');
      },
    };
    const providers = [relay, projections].map((part, n) => ({ provide: `part ${n}`, useValue: part }));
    await expect(createServer({ module: Parts, providers }, { log: silentLog })).rejects.toThrow('the database went');
    expect(said).toEqual(['begun', 'ended']);
  });
});
