import { Inject, Injectable } from '@nestjs/common';
import { decodePosition, encodePosition, type Position, type Tx } from '#event-log/index.js';
import { Databases } from '#event-log/nest/event-log.module.js';

/** Up to where in the log the effects of a process manager are done. Saved after them: they must bear being repeated. */
@Injectable()
export class Duties {
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  async position(name: string): Promise<Position> {
    const [row] = await this.databases.actor.query<{ position: string }>(
      'select position from ops.duty where name = $1',
      [name],
    );
    return row === undefined ? {} : decodePosition(row.position);
  }

  async save(name: string, position: Position, on: Tx = this.databases.actor): Promise<void> {
    await on.query(
      `insert into ops.duty (name, position) values ($1, $2)
       on conflict (name) do update set position = excluded.position`,
      [name, encodePosition(position)],
    );
  }

  /** For effects that are rows of the same transaction, which are then made once: until it ends no other instance moves the position. */
  async locked(name: string, tx: Tx): Promise<Position> {
    await tx.query('insert into ops.duty (name, position) values ($1, $2) on conflict do nothing', [
      name,
      encodePosition({}),
    ]);
    const [row] = await tx.query<{ position: string }>('select position from ops.duty where name = $1 for update', [
      name,
    ]);
    return decodePosition(row!.position);
  }

  /** Moves it there, in no partition back: another instance may be further. */
  async advance(name: string, to: Position): Promise<void> {
    await this.databases.actor.transaction(async (tx) => {
      const at = await this.locked(name, tx);
      const ahead = Object.entries(to).filter(([partition, offset]) => offset > (at[partition] ?? 0));
      if (ahead.length > 0) await this.save(name, { ...at, ...Object.fromEntries(ahead) }, tx);
    });
  }
}
