import { describe, expect, it } from 'vitest';
import { openWakeDoor } from './wake-door.js';

describe('the door for wakes', () => {
  it('wakes by POST /wake, whatever it brings, and by nothing else', async () => {
    let woken = 0;
    const door = await openWakeDoor(0, () => (woken += 1));
    const at = (path: string) => `http://127.0.0.1:${door.port}${path}`;
    expect((await fetch(at('/wake'), { method: 'POST', body: '{"message":"poll now"}' })).status).toBe(204);
    expect((await fetch(at('/wake'))).status).toBe(404);
    expect((await fetch(at('/'), { method: 'POST' })).status).toBe(404);
    await expect(fetch(at('/wake'), { method: 'POST', body: 'x'.repeat(10_000) })).rejects.toThrow();
    expect(woken).toBe(1);
    door.close();
  });
});
