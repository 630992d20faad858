import { readFileSync } from 'node:fs';
import { type Check, type Finding, finding, orUnknown, reasonOf } from './finding.js';
import { checkHandsetPort, checkPeoplePort } from './tls-port.js';

interface Ready {
  ready: boolean;
  checks: { name: string; ok: boolean; reason?: string }[];
}

interface About {
  name: string;
  version: string;
}

export interface Installation {
  handsetUrl: string;
  caFingerprint: string;
  databaseVersion: string;
  schema: { applied: string; known: string };
}

/** Reachable, ready, of our version, and of our time: certificates and schedules depend on clocks that agree. */
export const server: Check = async ({ api }) => {
  const { server: url } = api.options;
  const asked = Date.now();
  let response: Response;
  try {
    response = await api.probe('/readyz');
  } catch (error) {
    return [finding('server', false, `${url} cannot be reached: ${reasonOf(error)}`)];
  }
  const answered = Date.now();
  let found: Ready & { about: About };
  try {
    found = { ...(await readyOf(response)), about: aboutOf(await api.get('/version')) };
  } catch (error) {
    return [finding('server', false, `${url} does not answer as Muster does: ${reasonOf(error)}`)];
  }
  const { ready, checks, about } = found;
  return [
    finding('server', ready, `${url}, ${about.name}`),
    ...checks.map(({ name: check, ok, reason }) => finding(`server: ${check}`, ok, reason ?? 'works')),
    clock(Date.parse(response.headers.get('date') ?? ''), asked, answered),
    versions(about.version, ownVersion()),
  ];
};

/** @throws what something else than Muster answered there: a proxy whose server is away, or another program */
async function readyOf(response: Response): Promise<Ready> {
  const answer = (await response.json().catch(() => undefined)) as Partial<Ready> | null | undefined;
  if (typeof answer?.ready !== 'boolean' || !Array.isArray(answer.checks))
    throw new Error(`/readyz answered ${response.status} ${response.headers.get('content-type') ?? ''}`);
  return { ready: answer.ready, checks: answer.checks };
}

/** @throws the same */
function aboutOf(answer: unknown): About {
  const { name, version } = (answer ?? {}) as Partial<About>;
  if (name === undefined || version === undefined) throw new Error('/version names no version');
  return { name, version };
}

function ownVersion(): string {
  const manifest = new URL('../../../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/** `Date` has whole seconds, so two are noise. */
export function clock(date: number, asked: number, answered: number): Finding {
  const offset = date < asked - 1_000 ? asked - date : date > answered ? date - answered : 0;
  return finding(
    'clock',
    offset < 30_000,
    offset === 0 ? 'agrees with the server' : `${Math.round(offset / 1000)} s apart from the server`,
  );
}

/** A command of another version may ask for what the server does not have. */
export const versions = (theirs: string, ours: string): Finding => ({
  check: 'version',
  state: theirs === ours ? 'ok' : 'due',
  detail: theirs === ours ? `server and this program ${ours}` : `server ${theirs}, this program ${ours}: use the same`,
});

/** A server that finds tables of a newer one in the database works against rules that it does not know. */
export function databaseFindings({ databaseVersion, schema }: Installation): Finding[] {
  const { applied, known } = schema;
  const detail = applied === known ? applied : `the database has ${applied}, the server knows ${known}`;
  return [
    finding('database', Number.parseInt(databaseVersion) >= OLDEST, `Postgres ${databaseVersion}`),
    finding('database schema', applied === known, detail),
  ];
}

/** What this works with: the one that is embedded is 18; the oldest that roles without inheritance are granted in is 16. */
const OLDEST = 16;

/** Needs a login. */
export const installation: Check = orUnknown('installation', async ({ api }) => {
  const found = await api.get<Installation>('/v1/installation');
  const port = await checkHandsetPort(found.handsetUrl, found.caFingerprint).catch((error: unknown) => [
    finding('handset port', false, `${found.handsetUrl}: ${reasonOf(error)}`),
  ]);
  return [...databaseFindings(found), ...port];
});

/** Only where it is TLS: on loopback it is not. */
export const peoplePort: Check = orUnknown('people port', async ({ api }) => {
  const { server: url, ca } = api.options;
  return url.startsWith('https:') ? checkPeoplePort(url, ca === undefined ? undefined : readFileSync(ca, 'utf8')) : [];
});
