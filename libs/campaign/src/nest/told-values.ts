import { Inject, Injectable } from '@nestjs/common';
import { type PostgresLog } from '#event-log/index.js';
import { Databases, TailLog } from '#event-log/nest/event-log.module.js';
import { KeptAttributes } from '#identity/nest/identity.module.js';
import type { AttributeSchema, Attributes } from '#matching/index.js';
import { Recent } from '#runtime/index.js';
import type { DeviceFactByServer } from '../events.js';
import { knownBy, type TellingOf } from '../values.js';

/** Where in `muster.device` a device told last what it is; null: it has not. */
export interface ToldPlace {
  askedAt: Date | null;
  part: number | null;
  off: number | null;
}

/** As the rows of identity have it. */
export interface KnownRow {
  device_id: string;
  kept_version: number;
}

/** About 1 KB each; rules are tried on the same devices again and again while they are written. */
const REMEMBERED = 20_000;

/** What devices are compared by when they do not ask: what each told last, which the log alone has, and what is kept of it. */
@Injectable()
export class ToldValues {
  private readonly tellings = new Recent<string, { part: number; off: number; telling: TellingOf | null }>(REMEMBERED);

  constructor(
    @Inject(Databases) private readonly databases: Databases,
    @Inject(TailLog) private readonly log: PostgresLog,
    @Inject(KeptAttributes) private readonly kept: KeptAttributes,
  ) {}

  /** By the id of the device; who never asked nor told has none. */
  async places(tenant: string, deviceIds: readonly string[]): Promise<ReadonlyMap<string, ToldPlace>> {
    const rows = await this.databases.insight.inTenant(tenant, (tx) =>
      tx.query<{ device_id: string; asked_at: Date | null; part: number | null; off: number | null }>(
        'select device_id, asked_at, part, off from proj.p_device_seen_told_v1 where tenant = $1 and device_id = any($2)',
        [tenant, deviceIds],
      ),
    );
    return new Map(rows.map(({ device_id, asked_at: askedAt, part, off }) => [device_id, { askedAt, part, off }]));
  }

  /** @returns null: it has told nothing, or nothing that the schema has */
  async of(
    tenant: string,
    schema: AttributeSchema,
    { device_id: deviceId, kept_version: keptVersion }: KnownRow,
    place: ToldPlace | undefined,
  ): Promise<Attributes | null> {
    if (place === undefined || place.part === null || place.off === null) return null;
    const telling = await this.telling(tenant, deviceId, { part: place.part, off: place.off });
    return telling && knownBy(schema, telling, await this.kept.of({ tenant, deviceId, keptVersion }));
  }

  private async telling(
    tenant: string,
    deviceId: string,
    { part, off }: { part: number; off: number },
  ): Promise<TellingOf | null> {
    const name = `${tenant}/${deviceId}`;
    const known = this.tellings.get(name);
    if (known?.part === part && known.off === off) return known.telling;
    const [record] = await this.log.readTolerantly('muster.device', part, off, 1);
    const { attributes } = (record?.data ?? {}) as Partial<
      Extract<DeviceFactByServer, { type: 'HandsetDescribed' }>['data']
    >;
    const isOurs = record?.tenant === tenant && record.subject === deviceId && record.type === 'HandsetDescribed';
    const isReadable = isOurs && record.fault === undefined && attributes;
    const telling = isReadable ? { attributes, at: record.receivedAt } : null;
    this.tellings.set(name, { part, off, telling });
    return telling;
  }
}
