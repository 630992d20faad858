import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { alertCases, alerts, dashboard, RULES, RULES_TEST } from './monitoring.js';
import { canRun } from './prerequisites.js';

describe.skipIf(!canRun('promtool', 'the checks of the rules for Prometheus'))('the rules for Prometheus', () => {
  it('are what Prometheus reads', () =>
    expect(execFileSync('promtool', ['check', 'rules', RULES], { encoding: 'utf8' })).toContain('SUCCESS'));

  it('fire when they are to, and only then', () =>
    expect(execFileSync('promtool', ['test', 'rules', RULES_TEST], { encoding: 'utf8' })).toContain('SUCCESS'));

  it('have a case in which each fires, and one in which it does not', () => {
    const lacking = alerts().flatMap(({ alert }) => {
      const cases = alertCases().filter(({ alertname }) => alertname === alert);
      const fires = cases.some(({ exp_alerts: expected }) => expected.length > 0);
      return fires && cases.some(({ exp_alerts: expected }) => expected.length === 0) ? [] : [alert];
    });
    expect(lacking).toEqual([]);
  });

  it('say how bad it is, what it is, and what to do', () => {
    for (const { alert, labels, annotations } of alerts())
      expect({ alert, labels, annotations }).toEqual({
        alert,
        labels: { severity: expect.stringMatching(/^(critical|warning)$/) as unknown },
        annotations: { summary: expect.any(String) as unknown, action: expect.any(String) as unknown },
      });
  });
});

describe('the dashboard for Grafana', () => {
  it('has panels with a title, a place and queries that can be told apart', () => {
    const { panels, uid, schemaVersion } = dashboard();
    expect({ uid, isNew: schemaVersion >= 39, isThere: panels.length > 10 }).toEqual({
      uid: 'muster',
      isNew: true,
      isThere: true,
    });
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const { title, description, targets } of panels) {
      expect(Math.min(title.length, description.length, targets.length)).toBeGreaterThan(0);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      for (const { legendFormat } of targets) expect(legendFormat).toMatch(/\{\{\w+\}\}/);
    }
  });

  it('has no two panels in one place, and none beyond the 24 columns', () => {
    const cells = dashboard().panels.flatMap(({ gridPos: { x, y, w, h } }) => {
      expect(x + w).toBeLessThanOrEqual(24);
      return Array.from({ length: w * h }, (_, n) => `${x + (n % w)}/${y + Math.floor(n / w)}`);
    });
    expect(new Set(cells).size).toBe(cells.length);
  });

  it('asks for no variable that it does not have', () => {
    const { panels, templating } = dashboard();
    const known = new Set(['__rate_interval', ...templating.list.map(({ name }) => name)]);
    const used = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => expr.match(/(?<=\$)\w+/g) ?? []));
    expect([...new Set(used)].filter((name) => !known.has(name))).toEqual([]);
  });
});
