import { register } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { countedGauge } from './counted-gauge.js';

const shape = (name: string) => ({ name, help: 'For the test.', labelNames: ['part'] });
afterEach(() => register.clear());

describe('a gauge that is counted when it is read', () => {
  it('has the values of now, and no label of before', async () => {
    let part = 'one';
    countedGauge(shape('counted'), (set) => set({ part }, 1));
    expect(await register.metrics()).toContain('counted{part="one"} 1');
    part = 'two';
    expect(await register.metrics()).toContain('counted{part="two"} 1');
    expect(await register.metrics()).not.toContain('one');
  });

  it('is left out when it cannot be counted, or not in time, and the others are told', async () => {
    countedGauge(shape('failing'), () => Promise.reject(new Error('away')));
    countedGauge(shape('silent'), () => new Promise(() => undefined));
    countedGauge(shape('well'), (set) => set({ part: 'one' }, 7));
    const told = await register.metrics();
    expect(told).toContain('well{part="one"} 7');
    expect(told).not.toMatch(/^(failing|silent)\{/m);
  });

  it('is taken over by a second application of the process', async () => {
    for (const value of [1, 2]) countedGauge(shape('shared'), (set) => set({ part: 'one' }, value));
    expect(await register.metrics()).toContain('shared{part="one"} 2');
  });
});
