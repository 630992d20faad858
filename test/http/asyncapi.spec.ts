import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Parser } from '@asyncapi/parser';
import { describe, expect, it } from 'vitest';
import { asyncApiJudge, asyncApiText } from '../support/asyncapi.js';

/** The first severities are error and warning. */
const WARNING = 1;
const PROGRAM = path.resolve(import.meta.dirname, '../../dist/apps/muster/src/asyncapi.js');

interface Message {
  examples: { payload: object }[];
}

/** What a document is refused for; advice (info and hint) is not. */
async function refusals(text: string): Promise<string[]> {
  const found = await new Parser().validate(text);
  return found
    .filter(({ severity }) => Number(severity) <= WARNING)
    .map(({ path: at, message, code }) => `${at.join('/')}: ${code}: ${message}`);
}

describe('deploy/asyncapi.json', () => {
  it('says what the events are', () => {
    if (!existsSync(PROGRAM)) throw new Error('build first: npm run build');
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, '--check'], { encoding: 'utf8', timeout: 60_000 });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('is valid to the AsyncAPI parser, which refuses it when a message is not where it is said to be', async () => {
    expect(await refusals(asyncApiText())).toEqual([]);
    const gone = asyncApiText().replace(
      '"campaign.campaign-started.v1": {\n        "name"',
      '"gone": {\n        "name"',
    );
    expect((await refusals(gone)).join('\n')).toMatch(/invalid-ref: .*campaign\.campaign-started\.v1/);
  });

  it('has a sample of every event that its own schema takes', () => {
    const { components } = JSON.parse(asyncApiText()) as { components: { messages: Record<string, Message> } };
    const judge = asyncApiJudge();
    const samples = Object.entries(components.messages).flatMap(([id, { examples }]) =>
      examples.map(({ payload }) => ({ id, payload })),
    );
    expect(new Set(samples.map(({ id }) => id)).size).toBe(Object.keys(components.messages).length);
    expect(samples.flatMap(({ id, payload }) => judge.payload(id, payload))).toEqual([]);
    expect(judge.payload('campaign.campaign-started.v1', { campaignId: 7 })).not.toEqual([]);
  });

  it('has the label of a handset sealed, and null where there is none', () => {
    const { components } = JSON.parse(asyncApiText()) as { components: { messages: Record<string, Message> } };
    const id = 'handset.handset-enrolled.v1';
    const sample = components.messages[id]!.examples[0]!.payload;
    const judge = asyncApiJudge();
    expect(sample).toMatchObject({ label: { $sealed: expect.any(String) as string } });
    expect(judge.payload(id, { ...sample, label: null })).toEqual([]);
    expect(judge.payload(id, { ...sample, label: 'van 7' })).not.toEqual([]);
  });
});
