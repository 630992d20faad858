import { Inject, Injectable } from '@nestjs/common';
import { decodePosition, encodePosition, type Position } from '#event-log/index.js';
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

  async save(name: string, position: Position): Promise<void> {
    await this.databases.actor.query(
      `insert into ops.duty (name, position) values ($1, $2)
       on conflict (name) do update set position = excluded.position`,
      [name, encodePosition(position)],
    );
  }
}
