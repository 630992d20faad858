import type { Output } from './output.js';

/** Answer of `GET /v1/campaigns/{id}/progress`. */
export interface Progress {
  campaignId: string;
  name: string | null;
  status: string | null;
  funnel: Record<(typeof STEPS)[number], number>;
  dropped: { kind: string; reason: string; devices: number }[];
}

export const STEPS = ['polled', 'matched', 'requested', 'transferred', 'installed', 'confirmed'] as const;
const WIDTH = 30;

/** The funnel as lines: a bar a step, relative to those that polled, then where devices dropped. */
export function funnelLines(
  { name, status, funnel, dropped }: Progress,
  { bold, dim, cyan }: Output['colours'],
): string[] {
  const most = Math.max(1, ...STEPS.map((step) => funnel[step]));
  const bar = (devices: number) => cyan('█'.repeat(Math.round((devices / most) * WIDTH)).padEnd(WIDTH, '·'));
  return [
    `${bold(name ?? 'campaign')}  ${dim(status ?? '')}`,
    ...STEPS.map((step) => `  ${step.padEnd(12)} ${bar(funnel[step])} ${funnel[step]}`),
    ...dropped.map(({ kind, reason, devices }) => dim(`  ${kind} ${reason}: ${devices}`)),
  ];
}
