import { describe, expect, it } from 'vitest';
import { SseParser } from './sse.js';

const read = (...chunks: string[]) => {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
};

describe('the event stream as it comes', () => {
  it('gives each event once it is whole, wherever it was cut', () => {
    const text = 'id: p1\nevent: CampaignPaused\ndata: {"a":1}\n\nid: p2\nevent: X\ndata: {}\n\n';
    const whole = read(text);
    expect(whole).toEqual([
      { id: 'p1', event: 'CampaignPaused', data: '{"a":1}' },
      { id: 'p2', event: 'X', data: '{}' },
    ]);
    for (let at = 1; at < text.length; at += 1) expect(read(text.slice(0, at), text.slice(at))).toEqual(whole);
  });

  it('takes heartbeats and the retry line for nothing', () => {
    expect(read('retry: 1000\n\n', ': still here\n\n')).toEqual([]);
  });

  it('keeps what is not whole to itself', () => expect(read('id: p1\ndata: {}')).toEqual([]));
});
