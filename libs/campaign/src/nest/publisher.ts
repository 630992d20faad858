import { Inject, Injectable } from '@nestjs/common';
import { type EventContext, PostgresLog } from '#event-log/index.js';
import { failpoint, newId } from '#runtime/index.js';
import { catalogueOf } from '../catalogue.js';
import type { CatalogueEvent } from '../events.js';
import { nextPublication, type RoleFile } from '../repository.js';
import { catalogueStream } from '../vocabulary.js';
import { ChannelKeys } from './channel-keys.js';
import { ChannelTransactions, type InChannel } from './in-channel.js';
import { LiveBoard } from './live-board.js';
import { insertRoleFiles, insertTargets, standingFiles, sweepFiles } from './repository-rows.js';
import { ServedFiles } from './served-files.js';

/**
 * Signs what the log says. One transaction a publication: metadata, small targets and CataloguePublished become visible
 * together, so that a reader sees the old snapshot or the new one.
 */
@Injectable()
export class Publisher {
  constructor(
    @Inject(ChannelTransactions) private readonly transactions: ChannelTransactions,
    @Inject(PostgresLog) private readonly log: PostgresLog,
    @Inject(LiveBoard) private readonly board: LiveBoard,
    @Inject(ChannelKeys) private readonly keys: ChannelKeys,
    @Inject(ServedFiles) private readonly served: ServedFiles,
  ) {}

  /** @returns whether anything had to be published. @param rotate changes keys, and makes the offline-signed files that go first */
  async publish(
    tenant: string,
    channel: string,
    rotate: (at: InChannel) => Promise<readonly RoleFile[]> = async () => [],
  ): Promise<boolean> {
    const published = await this.transactions.change(tenant, channel, async (at) =>
      this.publishIn(at, await rotate(at)),
    );
    if (published) this.served.forget(tenant, channel);
    return published;
  }

  private async publishIn(at: InChannel, rotated: readonly RoleFile[]): Promise<boolean> {
    // Read after the lock was taken: what another process published before is in the rows and in the log.
    const catalogue = catalogueOf(await this.board.tenant(at.tenant), at.channel, await this.keys.grantKeySet(at));
    const standing = new Map(await standingFiles(at));
    for (const file of rotated) standing.set(file.role, file);
    const signers = await this.keys.onlineSigners(at);
    const changed = rotated.length > 0;
    const added = nextPublication(standing, catalogue, signers, { now: at.now, changed });
    if (added.length === 0) return false;
    await insertTargets(at, catalogue.policy);
    await insertRoleFiles(at, [...rotated, ...added], catalogue.digest);
    await sweepFiles(at, catalogue.policy);
    failpoint('publish.before-record');
    const snapshot = added.find(({ role }) => role === 'snapshot');
    if (snapshot !== undefined) await this.record(at, snapshot.version, catalogue);
    return true;
  }

  /** Last, because the append holds its partition until commit. */
  private async record(
    { tx, tenant, channel }: InChannel,
    version: number,
    { digest, campaigns }: { digest: string; campaigns: readonly string[] },
  ): Promise<void> {
    const event: CatalogueEvent = { type: 'CataloguePublished', data: { channel, version, digest, campaigns } };
    const context: EventContext = { tenant, actor: 'system:publisher', commandId: newId() };
    await this.log.appendIn(tx, 'muster.campaign', { subject: catalogueStream(channel) }, [event], context);
  }
}
