import { describe, expect, it } from 'vitest';
import type { KafkaSide } from '#event-log/index.js';
import { migrations } from '../rooms.js';
import { archiveOld, wouldArchive } from './archive.js';
import type { Installation } from './open.js';

describe('archiving an installation', () => {
  const limits = { before: '2026-01-01T00:00:00.000Z', least: 1 };
  const current = migrations.map((Each) => new Each().name ?? Each.name);

  it('is refused with archive.on-kafka where Kafka keeps the facts of handsets, before anything is looked at', async () => {
    const installation = { migrated: current, kafka: {} as KafkaSide } as unknown as Installation;
    for (const work of [archiveOld, wouldArchive])
      await expect(work(installation, limits)).rejects.toMatchObject({ code: 'archive.on-kafka' });
  });

  it('is refused with database.behind on the tables of an older release', async () => {
    const installation = { migrated: current.slice(0, -1) } as unknown as Installation;
    await expect(archiveOld(installation, limits)).rejects.toMatchObject({ code: 'database.behind' });
  });
});
