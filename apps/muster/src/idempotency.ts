import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Database, Migration } from '#event-log/index.js';
import { idempotentCaller } from '#identity/nest/identity.module.js';
import type { Clock } from '#runtime/index.js';
import type { Claim, IdempotencyScope, IdempotencyStore, StoredAnswer } from '#runtime/nest/runtime.module.js';
import { CreateIdempotency1767400000000 } from './migrations/create-idempotency.js';

export const idempotencyMigrations: readonly Migration[] = [CreateIdempotency1767400000000];

const KEPT_MS = 24 * 3_600_000;
/** A claim that is not answered after this long belongs to a request that ended without us. */
const CLAIM_MS = 60_000;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

interface Row {
  body_hash: string;
  answer: Buffer | null;
  claimed_at: Date;
}

/** Answers in `ops.idempotency`, sealed, because they may hold personal data; of a body, which may hold a password, a keyed hash. */
export class PostgresIdempotency implements IdempotencyStore {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly key: Uint8Array,
  ) {}

  callerOf(request: FastifyRequest): { tenant: string; caller: string } | undefined {
    return idempotentCaller(request);
  }

  claim({ tenant, id }: IdempotencyScope, bodyHash: string): Promise<Claim> {
    const now = this.clock.now();
    const keyed = createHmac('sha256', this.key).update(bodyHash).digest('hex');
    const lapsed = [new Date(now - KEPT_MS), new Date(now - CLAIM_MS)];
    return this.database.inTenant(tenant, async (tx) => {
      await tx.query(
        'delete from ops.idempotency where tenant = $1 and (claimed_at < $2 or (answer is null and claimed_at < $3))',
        [tenant, ...lapsed],
      );
      const claimed = await tx.query(
        `insert into ops.idempotency (tenant, id, body_hash, claimed_at) values ($1, $2, $3, $4)
         on conflict (tenant, id) do nothing returning id`,
        [tenant, id, keyed, new Date(now)],
      );
      if (claimed.length > 0) return { state: 'claimed' };
      const [row] = await tx.query<Row>('select * from ops.idempotency where tenant = $1 and id = $2', [tenant, id]);
      if (row?.answer == null) return { state: 'in-flight' };
      const sameOrOther = row.body_hash === keyed ? bodyHash : row.body_hash;
      return { state: 'answered', bodyHash: sameOrOther, answer: this.open(row.answer, id) };
    });
  }

  async finish({ tenant, id }: IdempotencyScope, answer: StoredAnswer): Promise<void> {
    await this.database.inTenant(tenant, (tx) =>
      tx.query('update ops.idempotency set answer = $3 where tenant = $1 and id = $2', [
        tenant,
        id,
        this.seal(answer, id),
      ]),
    );
  }

  async release({ tenant, id }: IdempotencyScope): Promise<void> {
    await this.database.inTenant(tenant, (tx) =>
      tx.query('delete from ops.idempotency where tenant = $1 and id = $2 and answer is null', [tenant, id]),
    );
  }

  private seal(answer: StoredAnswer, id: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(id));
    return Buffer.concat([nonce, cipher.update(JSON.stringify(answer), 'utf8'), cipher.final(), cipher.getAuthTag()]);
  }

  private open(sealed: Buffer, id: string): StoredAnswer {
    const cipher = createDecipheriv('aes-256-gcm', this.key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(Buffer.from(id)).setAuthTag(sealed.subarray(-TAG_BYTES));
    const text = Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), cipher.final()]);
    return JSON.parse(text.toString('utf8')) as StoredAnswer;
  }
}
