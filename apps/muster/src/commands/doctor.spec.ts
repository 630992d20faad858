import { expect, it } from 'vitest';
import { keyFinding, relayFinding } from './doctor.js';

const DAY = 86_400_000;
const status = (days: number, due: boolean, online: boolean) => {
  return { role: 'root', expiresAt: new Date(days * DAY).toISOString(), due, online };
};

it.each([
  ['expired', status(-1, true, false), 'bad'],
  ['signed offline and past half of its life', status(30, true, false), 'due'],
  ['signed offline and young', status(300, false, false), 'ok'],
  ['signed online, whatever its age', status(1, true, true), 'ok'],
])('tells of metadata that is %s', (_, of, state) =>
  expect(keyFinding('main', of, 0)).toMatchObject([{ check: 'key: main root', state }]),
);

const metrics = (seconds: number) => `# TYPE muster_relay_lag_events gauge
muster_relay_lag_events{topic="muster.audit",partition="0"} 2
muster_relay_lag_events{topic="muster.campaign",partition="11"} 40
muster_relay_lag_seconds{topic="muster.audit",partition="0"} 0.4
muster_relay_lag_seconds{topic="muster.campaign",partition="11"} ${seconds}
`;

it.each([
  ['that keeps up', 1.6, 'ok', '42 events that Kafka does not have, the oldest of 2 s'],
  ['whose broker is away', 61, 'bad', '42 events that Kafka does not have, the oldest of 61 s'],
])('tells of a relay %s', (_, seconds, state, detail) =>
  expect(relayFinding(metrics(seconds))).toEqual([{ check: 'relay', state, detail }]),
);

it('tells of no relay where the log is Postgres alone', () => expect(relayFinding('up 1\n')).toEqual([]));
