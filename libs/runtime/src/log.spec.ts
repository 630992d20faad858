import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { DomainError } from './errors.js';
import { type LogFields, processLog } from './log.js';

function lineOf(fields: LogFields): Record<string, unknown> {
  const folder = mkdtempSync(path.join(tmpdir(), 'muster-log-'));
  const file = path.join(folder, 'out');
  const fd = openSync(file, 'w');
  processLog('test', {}, fd).warn('thing.failed', fields);
  closeSync(fd);
  const text = readFileSync(file, 'utf8');
  rmSync(folder, { recursive: true });
  return JSON.parse(text) as Record<string, unknown>;
}

describe('log', () => {
  it('names the event and keeps fields', () => {
    expect(lineOf({ deviceId: 'd', bytes: 7 })).toMatchObject({
      event: 'thing.failed',
      service: 'test',
      deviceId: 'd',
      bytes: 7,
    });
  });

  it.each(['password', 'token', 'passphrase'])('hides %s at the top and one level down', (name) => {
    expect(JSON.stringify(lineOf({ [name]: 'canary', login: { [name]: 'canary' } }))).not.toContain('canary');
  });

  it('hides an enrolment code, and keeps the code of an error', () => {
    const line = lineOf({ enrolment: { code: 'canary' }, err: new DomainError('thing.closed') });
    expect(line).toMatchObject({ err: { errorCode: 'thing.closed', message: 'thing.closed' } });
    expect(JSON.stringify(line)).not.toContain('canary');
  });

  it('says nothing of the rows that a database error carries', () => {
    const error = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (label)=(canary)' });
    const line = lineOf({ err: error });
    expect(line).toMatchObject({ err: { message: 'duplicate key', errorCode: '23505' } });
    expect(JSON.stringify(line)).not.toContain('canary');
  });
});
