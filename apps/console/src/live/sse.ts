/** One server-sent event. */
export interface SseMessage {
  id: string;
  event: string;
  data: string;
}

/** Reads the text of an event stream as it comes, in whatever pieces. @see https://html.spec.whatwg.org/multipage/server-sent-events.html */
export class SseParser {
  private rest = '';

  push(chunk: string): SseMessage[] {
    const blocks = (this.rest + chunk.replaceAll('\r', '')).split('\n\n');
    this.rest = blocks.pop() ?? '';
    return blocks.map(messageOf).filter((message) => message.data !== '');
  }
}

function messageOf(block: string): SseMessage {
  const message: SseMessage = { id: '', event: 'message', data: '' };
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue; // a remark, which keeps the connection
    const value = line.slice(colon + 1).replace(/^ /, '');
    const field = line.slice(0, colon);
    if (field === 'id') message.id = value;
    if (field === 'event') message.event = value;
    if (field === 'data') data.push(value);
  }
  return { ...message, data: data.join('\n') };
}
