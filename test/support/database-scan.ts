import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { findCanaries } from './canary.js';

/** A superuser's connection to the embedded Postgres of a running server: tests look where no role of Muster may. */
export async function asSuperuser<T>(data: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const { postgres: password } = JSON.parse(readFileSync(path.join(data, 'passwords.json'), 'utf8')) as {
    postgres: string;
  };
  const port = Number(readFileSync(path.join(data, 'postgres.port'), 'utf8'));
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password, database: 'muster' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Every row of every table, as text. @returns the tables looked at, and those that hold a canary */
export function scanTables(
  data: string,
  canaries: readonly (string | number)[],
): Promise<{ tables: number; rows: number; found: string[] }> {
  return asSuperuser(data, async (client) => {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables
       where schemaname not in ('pg_catalog', 'information_schema') order by 1`,
    );
    const found: string[] = [];
    let rows = 0;
    for (const { name } of tables) {
      const { rows: texts } = await client.query<{ text: string }>(`select t::text as text from ${name} t`);
      rows += texts.length;
      const bytes = Buffer.from(texts.map(({ text }) => text).join('\n'));
      // bytea prints as hex: look behind it, too
      const behindHex = Buffer.concat(
        [...bytes.toString('latin1').matchAll(/\\x([0-9a-f]+)/g)].map(([, hex]) =>
          Buffer.from(`\n${Buffer.from(hex!, 'hex').toString('latin1')}`, 'latin1'),
        ),
      );
      for (const canary of findCanaries(Buffer.concat([bytes, behindHex]), canaries)) found.push(`${name}: ${canary}`);
    }
    return { tables: tables.length, rows, found };
  });
}

/** Every segment of a broker's log on disk, uncompressed as the relay and producers send. @returns the bytes looked at, and the canaries found */
export function scanSegments(
  broker: string,
  canaries: readonly (string | number)[],
): { bytes: number; found: string[] } {
  const segments = readdirSync(broker, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /muster\..*\.log$/.test(name),
  );
  const contents = segments.map((name) => readFileSync(path.join(broker, name)));
  return {
    bytes: contents.reduce((sum, { length }) => sum + length, 0),
    found: segments.flatMap((name, i) => findCanaries(contents[i]!, canaries).map((canary) => `${name}: ${canary}`)),
  };
}
