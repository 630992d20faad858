import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

export const RULES = 'deploy/prometheus/muster.rules.yaml';
export const RULES_TEST = 'deploy/prometheus/muster.rules.test.yaml';
export const DASHBOARD = 'deploy/grafana/muster.json';

export interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: { refId: string; expr: string; legendFormat: string }[];
}

export interface Dashboard {
  title: string;
  uid: string;
  schemaVersion: number;
  templating: { list: { name: string; type: string; definition?: string }[] };
  panels: Panel[];
}

interface RulesFile {
  groups: { name: string; rules: { alert: string; expr: string; labels: object; annotations: object }[] }[];
}

interface RulesTestFile {
  tests: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }[];
}

const yamlOf = <T>(file: string): T => parse(readFileSync(file, 'utf8')) as T;

export const alerts = () => yamlOf<RulesFile>(RULES).groups.flatMap(({ rules }) => rules);
export const alertCases = () => yamlOf<RulesTestFile>(RULES_TEST).tests.flatMap(({ alert_rule_test: cases }) => cases);
export const dashboard = (): Dashboard => JSON.parse(readFileSync(DASHBOARD, 'utf8')) as Dashboard;

/** Every query that the rules and the dashboard ask, by where it stands. */
export function queries(): { where: string; expr: string }[] {
  const { panels, templating } = dashboard();
  return [
    ...alerts().map(({ alert, expr }) => ({ where: alert, expr })),
    ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
    ...templating.list.flatMap(({ name, definition }) => (definition ? [{ where: name, expr: definition }] : [])),
  ];
}

/** Names of our metrics in a query, with the labels that it selects or groups by. */
export const metricsIn = (expr: string): string[] => [...new Set(expr.match(/\bmuster_\w+/g) ?? [])];

export interface Metric {
  type: string;
  labels: Record<string, string>[];
}

/** What an answer of /metrics has: by the name that a query uses, so a histogram counts as its three series. */
export function metricsOf(text: string): Map<string, Metric> {
  const found = new Map<string, Metric>();
  for (const [, name = '', type = ''] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => `${name}${end}`) : [name];
    for (const each of names) found.set(each, { type, labels: [] });
  }
  for (const [, name = '', labels = ''] of text.matchAll(/^([a-z_]\w*)(?:\{(.*)\})? \S+$/gm)) {
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value] as const);
    found.get(name)?.labels.push(Object.fromEntries(pairs));
  }
  return found;
}
