import { describe, expect, it } from 'vitest';
import { type Log, silentLog } from '#runtime/index.js';
import { awaited } from './awaited.js';
import { EventLogError } from './event-log.js';

const refused = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

describe('a start that needs another server', () => {
  const said: string[] = [];
  const hear = (event: string) => void said.push(event);
  const log: Log = { ...silentLog, info: hear, warn: hear };
  const failing =
    (...errors: Error[]) =>
    async () => {
      const error = errors.shift();
      if (error !== undefined) throw error;
      return 'there';
    };

  it('waits for it, and says so', async () => {
    said.length = 0;
    const away = new EventLogError('log.unavailable', {});
    expect(await awaited('kafka', failing(refused(), away), { log })).toBe('there');
    expect(said).toEqual(['kafka.awaited', 'kafka.awaited', 'kafka.found']);
  });

  it('says nothing of one that is there', async () => {
    said.length = 0;
    expect(await awaited('postgres', failing(), { log })).toBe('there');
    expect(said).toEqual([]);
  });

  it('gives up with the last error when its patience is over', () =>
    expect(awaited('postgres', failing(refused(), refused()), { log, patienceMs: 1 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    }));

  it.each([
    ['a wrong password', Object.assign(new Error('password'), { code: '28P01' })],
    ['a log that is kept elsewhere', new EventLogError('log.kept-on-kafka', {})],
    ['a mistake of the program', new TypeError('x is not a function')],
  ])('does not wait out %s', (_, error) => expect(awaited('postgres', failing(error), { log })).rejects.toBe(error));
});
