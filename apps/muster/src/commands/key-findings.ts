import type { Check, Finding } from './finding.js';
import { orUnknown } from './finding.js';

interface KeyStatus {
  role: string;
  expiresAt: string | null;
  online: boolean;
  due: boolean;
}

/** What is signed online renews itself at half of its life; what is not, a person must renew. */
export function keyFinding(channel: string, { role, expiresAt, online, due }: KeyStatus, now: number): Finding[] {
  if (expiresAt === null) return [];
  const check = `key: ${channel} ${role}`;
  const detail = `signed until ${expiresAt}`;
  if (Date.parse(expiresAt) <= now) return [{ check, state: 'bad', detail }];
  if (online || !due) return [{ check, state: 'ok', detail }];
  return [
    {
      check,
      state: 'due',
      detail: `${detail}, past half of its life: muster keys rotate ${role} --channel ${channel}`,
    },
  ];
}

/** What needs a login: without one it is not known. */
export const keys: Check = orUnknown('keys', async ({ api }) => {
  const { items: channels } = await api.get<{ items: { channel: string }[] }>('/v1/channels');
  const found = channels.map(async ({ channel }) => {
    const { items } = await api.get<{ items: KeyStatus[] }>(`/v1/keys/${channel}`);
    return items.flatMap((status) => keyFinding(channel, status, Date.now()));
  });
  return (await Promise.all(found)).flat();
});
