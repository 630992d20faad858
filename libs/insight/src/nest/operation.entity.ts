import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { OperationDto } from './projections.dto.js';

/** Something that goes on after its 202 was answered. */
@Entity({ name: 'operation', schema: 'ops' })
export class OperationEntity {
  @PrimaryColumn('text')
  tenant!: string;

  @PrimaryColumn('text')
  id!: string;

  @Column('text')
  kind!: OperationDto['kind'];

  @Column('text')
  object!: string;

  @Column('text')
  status!: 'running' | 'done' | 'failed' | 'cancelled';

  @Column('jsonb', { nullable: true })
  result!: object | null;

  @Column('timestamptz', { name: 'started_at' })
  startedAt!: Date;

  /** Moves while it runs. */
  @Column('timestamptz', { name: 'seen_at' })
  seenAt!: Date;
}
