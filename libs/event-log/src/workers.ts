import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '#runtime/index.js';
import { isHeldSql, keyOf } from './build-lock.js';
import type { Database, Session, Tx } from './database.js';
import { murmur2 } from './murmur2.js';
import type { Projection } from './projection.js';

/** How often a worker says that it is there; after `GONE_AFTER` of silence its partitions go to the others. */
const BEAT_MS = 2_000;
const GONE_AFTER = '10 seconds';

interface Worker {
  id: string;
  /** `name/version` of the projections that it keeps. */
  projections: readonly string[];
}

const LIVING = `seen_at > clock_timestamp() - interval '${GONE_AFTER}' and ${isHeldSql(`'worker/' || id`)}`;

/**
 * Which partitions of which projections this worker applies, so that not everybody reads everything: each belongs to one
 * of the living workers, by rendezvous hashing. A worker lives while its session holds a lock, which a killed process loses
 * at once, and says so, which a stopped one does not. That is an economy and no more: workers may disagree for a while, and
 * whoever comes second to a batch finds the checkpoint's row moved. Correctness rests with that row alone.
 */
export class Workers {
  /** Partitions of this worker that stand still, as `<projection> <topic>/<partition>`; told to the others. */
  readonly stopped = new Set<string>();
  private id = '';
  private session: Session | undefined;
  private living: readonly Worker[] = [];
  private owned = new Map<string, boolean>();

  constructor(
    private readonly database: Database,
    private readonly projections: readonly Projection[],
    private readonly log: Log,
  ) {}

  /** True also while it is not known who else there is: better twice than not at all. */
  owns(projection: Projection, partition: string): boolean {
    const place = `${labelOf(projection)} ${partition}`;
    const known = this.owned.get(place);
    if (known !== undefined) return known;
    const able = this.living.filter(({ projections }) => projections.includes(labelOf(projection)));
    const owner = able.toSorted((a, b) => scoreOf(b, place) - scoreOf(a, place) || (a.id < b.id ? -1 : 1))[0];
    const isOwn = owner === undefined || owner.id === this.id;
    this.owned.set(place, isOwn);
    return isOwn;
  }

  /** Says that it is there, and looks who else is. */
  async beat(): Promise<void> {
    try {
      const session = (this.session ??= await this.enter());
      await session.query(
        `insert into proj.worker values ($1, $2, $3, clock_timestamp())
         on conflict (id) do update set stopped = excluded.stopped, seen_at = excluded.seen_at`,
        [this.id, this.projections.map(labelOf), [...this.stopped]],
      );
      await session.query(`delete from proj.worker where not (${LIVING}) and id <> $1`, [this.id]);
      this.see(await session.query<Worker>(`select id, projections from proj.worker where ${LIVING} order by id`));
    } catch (err) {
      this.log.warn('projection.worker-unseen', { err });
      this.hangUp();
    }
  }

  /** Beats until it is aborted, then takes its leave, so that the others need not wait. */
  async keepBeating(signal: AbortSignal): Promise<void> {
    const hasSlept = () => sleep(BEAT_MS, true, { signal, ref: false }).catch(() => false); // aborted
    while (await hasSlept()) await this.beat();
  }

  async leave(): Promise<void> {
    await this.session?.query('delete from proj.worker where id = $1', [this.id]).catch(() => undefined); // they see its lock go
    this.hangUp();
  }

  /** Another session is another worker: who still holds the old one's lock would not let it go on under its name. */
  private async enter(): Promise<Session> {
    this.id = randomBytes(8).toString('hex');
    const session = await this.database.session();
    try {
      await session.query('select pg_advisory_lock($1)', [await keyOf(session, `worker/${this.id}`)]);
      return session;
    } catch (error) {
      session.release();
      throw error;
    }
  }

  private see(living: readonly Worker[]): void {
    const isSame = living.map(({ id }) => id).join() === this.living.map(({ id }) => id).join();
    if (isSame) return;
    this.living = living;
    this.owned.clear();
    this.log.info('projection.rebalanced', { worker: this.id, workers: living.length });
  }

  private hangUp(): void {
    this.session?.release();
    this.session = undefined;
    this.living = [];
    this.owned.clear();
  }
}

/** Partitions that stand still, of all living workers. */
export async function stoppedPartitions(tx: Tx, { name }: Projection): Promise<string[]> {
  const rows = await tx.query<{ place: string }>(
    `select distinct unnest(stopped) as place from proj.worker where ${LIVING} order by 1`,
  );
  return rows.flatMap(({ place }) => (place.startsWith(`${name} `) ? [place.slice(name.length + 1)] : []));
}

const labelOf = ({ name, version }: Projection): string => `${name}/${version}`;
const scoreOf = ({ id }: Worker, place: string): number => murmur2(Buffer.from(`${id} ${place}`)) >>> 0;
