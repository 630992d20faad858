import { describe, expect, it } from 'vitest';
import { type AvailableContent } from '#device-protocol/index.js';
import { answersAtHand, type AtHand } from './at-hand.js';
import { readBody } from './device-api.js';
import { type HttpRequest, type Transport } from './ports.js';

const content = (contentId: string, bytes?: string): AvailableContent => ({
  contentId,
  campaignId: 'k',
  priority: 1,
  description: { name: contentId, version: '1', mediaType: 'text/plain', sizeBytes: 5, attributes: {} },
  sizeBytes: 5,
  sha256: 'ab',
  transmitted: { grant: `grant-${contentId}`, url: `/d/v1/contents/${contentId}`, ...(bytes && { bytes }) },
});

function given(...contents: AvailableContent[]) {
  const sent: HttpRequest[] = [];
  const answers = [{ contentId: 'far', campaignId: 'k', gate: 'wave' }];
  const server: Transport = {
    send: (request) => {
      sent.push(request);
      const body = Buffer.from(JSON.stringify({ answers }));
      const chunks = (async function* () {
        yield body;
      })();
      return Promise.resolve({ status: 200, headers: {}, body: chunks, discard: () => undefined });
    },
    close: () => undefined,
  };
  const atHand: AtHand = new Map(contents.map((each) => [each.contentId, each]));
  const transport = answersAtHand(server, atHand);
  const ask = async (...ids: string[]) => {
    const requests = ids.map((contentId) => ({ contentId, campaignId: 'k' }));
    const body = JSON.stringify({ snapshotVersion: 1, requests });
    const answer = await transport.send({ method: 'POST', url: '/d/v1/requests', body, maxBytes: 1_000 });
    return JSON.parse(Buffer.from(await readBody(answer)).toString()) as { answers: { contentId: string }[] };
  };
  const get = async (contentId: string, headers?: Record<string, string>) =>
    Buffer.from(
      await readBody(
        await transport.send({ method: 'GET', url: `/d/v1/contents/${contentId}`, headers, maxBytes: 1_000 }),
      ),
    ).toString();
  return { sent, ask, get };
}

describe('what is at hand', () => {
  it('is not asked for again: the grant, then the bytes', async () => {
    const { sent, ask, get } = given(content('here', Buffer.from('bytes').toString('base64')));
    expect((await ask('here')).answers).toEqual([expect.objectContaining({ contentId: 'here', grant: 'grant-here' })]);
    expect(await get('here')).toBe('bytes');
    expect(sent).toEqual([]);
  });

  it('is given once: a grant that is asked for again has expired, and bytes that are fetched again were wrong', async () => {
    const { sent, ask, get } = given(content('here', 'AAAA'), content('granted'));
    await get('here');
    await get('here');
    await ask('granted');
    await ask('granted');
    expect(sent.map(({ url }) => url)).toEqual(['/d/v1/contents/here', '/d/v1/requests']);
  });

  it('answers together with the server when only some of it is here', async () => {
    const { sent, ask } = given(content('here'));
    expect((await ask('here', 'far')).answers.map(({ contentId }) => contentId)).toEqual(['here', 'far']);
    expect(JSON.parse(sent[0]!.body!)).toMatchObject({ requests: [{ contentId: 'far', campaignId: 'k' }] });
  });

  it('is not taken for a part of it: the rest of a file is the server’s to send', async () => {
    const { sent, get } = given(content('here', 'AAAA'));
    await get('here', { range: 'bytes=2-' });
    expect(sent).toHaveLength(1);
  });
});
