import { type Command, command } from '../cli/command.js';

interface LogEvent {
  seq: string;
  name: string;
  subject: string;
  actor: string;
  occurredAt: string;
  data: object;
}

const topicOption = { type: 'string', help: 'topics, by comma, e.g. muster.campaign', placeholder: 'topics' } as const;

function query(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
  return new URLSearchParams(given).toString();
}

const text = (
  { dim, bold }: { dim: (part: string) => string; bold: (part: string) => string },
  event: LogEvent,
): string =>
  `${dim(event.occurredAt)}  ${bold(event.name)}  ${event.subject}  ${dim(event.actor)}  ${JSON.stringify(event.data)}`;

const list = command({
  name: 'event list',
  summary: 'List events of your tenant from the log, oldest first',
  options: {
    topic: topicOption,
    type: { type: 'string', help: 'names of events, by comma, e.g. CampaignStarted', placeholder: 'names' },
    subject: { type: 'string', help: 'id of the campaign, content, device … that they are about', placeholder: 'id' },
    from: { type: 'string', help: 'start, end, or a position', default: 'start', placeholder: 'position' },
    limit: { type: 'number', help: 'how many at most', default: 200 },
  },
  examples: ['muster event list --topic muster.campaign', 'muster event list --subject 0198c6f2-… --json'],
  run: async ({ topic, type, subject, from, limit }, { api, out }) => {
    let position = from;
    for (let left = limit; left > 0; ) {
      const asked = query({ topic, type, subject, from: position, limit: String(Math.min(200, left)) });
      const page = await api.get<{ items: LogEvent[]; position: string; isAtEnd: boolean }>(`/v1/events?${asked}`);
      for (const event of page.items) out.line(event, (colours) => text(colours, event));
      left -= page.items.length;
      position = page.position;
      if (page.isAtEnd) break;
    }
  },
});

const tail = command({
  name: 'event tail',
  summary: 'Follow the events of your tenant as they come, until Ctrl-C',
  options: { topic: topicOption },
  examples: ['muster event tail', 'muster event tail --topic muster.device --json | jq .name'],
  run: async ({ topic }, { api, out }) => {
    const asked = query({ topic });
    for await (const { data } of api.stream<LogEvent>(`/v1/live${asked === '' ? '' : `?${asked}`}`))
      out.line(data, (colours) => text(colours, data));
  },
});

export const eventCommands: readonly Command[] = [list, tail];
