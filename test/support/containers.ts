import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { isHere } from './prerequisites.js';

export interface Container {
  name: string;
  args?: string[];
  command?: string[];
  env?: { name: string }[];
  envFrom?: { configMapRef: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  resources?: { requests?: object; limits?: { memory?: string } };
  securityContext?: object;
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  volumeMounts?: { name: string }[];
}

interface Probe {
  httpGet: { path: string; port: string; scheme: string };
}

interface Labels {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}

export interface Manifest {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  spec?: {
    selector?: Labels & Record<string, unknown>;
    podSelector?: Labels;
    ports?: { targetPort: string }[];
    ingress?: { ports: { port: string }[] }[];
    template?: {
      metadata: { labels: Record<string, string> };
      spec: {
        containers: Container[];
        initContainers: Container[];
        volumes: { name: string }[];
        securityContext: object;
      };
    };
  };
}

export interface Compose {
  services: Record<string, { command: string[]; environment: Record<string, string>; ports: string[] }>;
}

/** What `kubectl apply -k` would send, by whichever is there of two programs that make the same of it. */
export function rendered(): string {
  const [program, verb] = isHere('kustomize') ? ['kustomize', 'build'] : ['kubectl', 'kustomize'];
  return execFileSync(program, [verb, 'deploy/kustomize'], { encoding: 'utf8' });
}
export const manifests = (): Manifest[] => parseAllDocuments(rendered()).map((each) => each.toJS() as Manifest);
export const compose = (): Compose => parse(readFileSync('deploy/compose.yaml', 'utf8'), { merge: true }) as Compose;

/** Every setting that a service takes from its environment, as the sources name them. */
export function knownSettings(): Set<string> {
  const sources = ['apps', 'libs'].flatMap((top) =>
    (readdirSync(top, { recursive: true }) as string[])
      .filter((file) => file.endsWith('.config.ts') && !file.includes('node_modules'))
      .map((file) => readFileSync(path.join(top, file), 'utf8')),
  );
  return new Set(sources.flatMap((text) => [...text.matchAll(/@Env\('(\w+)'\)/g)].map(([, name = '']) => name)));
}

export const selects = (labels: Record<string, string>, { matchLabels = {}, matchExpressions = [] }: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''));
