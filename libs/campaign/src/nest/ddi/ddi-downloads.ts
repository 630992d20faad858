import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DeviceIdentity } from '#identity/nest/identity.module.js';
import type { Log } from '#runtime/index.js';
import { LOG } from '#runtime/nest/runtime.module.js';
import type { ActionState } from '../../ddi/action.js';
import { artifactHeaders, meetsIfMatch } from '../../ddi/bodies.js';
import { CampaignError } from '../../errors.js';
import { stopsTransfer } from '../../offers.js';
import { type ByteRange, rangeOf } from '../../range.js';
import { FileStore } from '../file-store.js';
import { Transfers } from '../transfers.js';
import { DdiActions } from './ddi-actions.js';
import { type Artifact, DdiArtifacts } from './ddi-artifacts.js';

/** Bytes are sent while the client is at work on it. */
const SERVED: readonly ActionState[] = ['offered', 'installed'];

/** Bytes for hawkBit clients; what was sent of them is on the record as a handset would report it. */
@Injectable()
export class DdiDownloads {
  constructor(
    @Inject(DdiArtifacts) private readonly artifacts: DdiArtifacts,
    @Inject(DdiActions) private readonly actions: DdiActions,
    @Inject(FileStore) private readonly files: FileStore,
    @Inject(Transfers) private readonly transfers: Transfers,
    @Inject(LOG) private readonly log: Log,
  ) {}

  /** GET and HEAD: the whole, a range, or 416; 412 where `If-Match` names other bytes. */
  async send(
    device: DeviceIdentity,
    named: { moduleId: number; file: string },
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const artifact = await this.artifacts.file(device, named, SERVED);
    const { action, offered, content, campaign } = artifact;
    if (stopsTransfer(campaign, content) && !action.refusedCancel)
      throw new CampaignError('grant.revoked', {}, 'the campaign or the content was taken back');
    if (!meetsIfMatch(request.headers['if-match'], offered.hashes))
      throw new CampaignError('ddi.precondition', {}, 'If-Match names other bytes');
    const headers = artifactHeaders(offered.name, offered.hashes, madeAt(action.contentId));
    const size = offered.sizeBytes;
    void reply.headers(headers);
    if (request.method === 'HEAD') return void reply.header('content-length', size).send();
    const wanted = rangeOf(rangeHeaders(request, headers), { size, etag: headers.etag! });
    if (wanted === 'unsatisfiable') {
      void reply.header('content-range', `bytes */${size}`);
      throw new CampaignError('range.unsatisfiable', { sizeBytes: size }, 'the range begins behind the end');
    }
    if (wanted === undefined) void reply.header('content-length', size);
    else void reply.status(206).headers(partOf(wanted, size));
    await this.artifacts.mayFetch(device, artifact);
    await this.began(device, artifact, wanted);
    if (size === 0) return void reply.send('');
    const bytes = this.files.read(offered.hashes.sha256, wanted);
    reply.raw.once('close', () => {
      const isWhole = reply.raw.writableFinished;
      const end = isWhole ? (wanted?.last ?? size - 1) + 1 : Math.min(bytes.at, size);
      // Nobody waits for it: the answer is over. What is lost with the process was not reported by anybody.
      this.ended(device, artifact, { from: wanted?.first ?? 0, end, isWhole }).catch((err: unknown) =>
        this.log.warn('ddi.transfer-not-recorded', { deviceId: device.deviceId, err }),
      );
    });
    // A client that has refused the recall is let finish what it is at.
    const stops = action.refusedCancel ? () => false : stopsTransfer;
    void reply.send(this.transfers.watched(bytes, device, action, stops));
  }

  private async began(device: DeviceIdentity, { action }: Artifact, range: ByteRange | undefined): Promise<void> {
    const { contentId, campaignId } = action;
    const about = { contentId, campaignId };
    if (!action.isStarted) {
      const owes = [{ type: 'TransferStarted', data: about }] as const;
      await this.actions.record.turn(device, action, { mark: 'is_started', owes });
    } else if (range !== undefined && range.first > 0) {
      const resumed = { type: 'TransferResumed', data: { ...about, fromByte: range.first } } as const;
      await this.actions.record.recordIfRoom(device, resumed);
    }
  }

  /** All bytes were handed over, in whatever pieces: the transfer is complete. */
  private async ended(
    device: DeviceIdentity,
    { action, offered }: Artifact,
    { from, end, isWhole }: { from: number; end: number; isWhole: boolean },
  ): Promise<void> {
    const { sizeBytes: bytes, hashes } = offered;
    const hasAll = await this.actions.rows.served(device, action, [from, end], bytes);
    if (!isWhole || !hasAll) return;
    const { contentId, campaignId } = action;
    const data = { contentId, campaignId, bytes, sha256: hashes.sha256 };
    const turn = { mark: 'is_transferred', owes: [{ type: 'TransferCompleted', data }] } as const;
    await this.actions.record.turn(device, action, turn, { isPatient: true });
  }
}

/** A content has the id of its upload, which begins with the time (UUIDv7). */
const madeAt = (contentId: string): Date => new Date(parseInt(contentId.replace('-', '').slice(0, 12), 16));

/** `If-Range` may be a date (RFC 9110 §13.1.5), and hawkBit's clients may write the ETag without quotes. */
function rangeHeaders({ headers }: FastifyRequest, { etag, 'last-modified': modified }: Record<string, string>) {
  const ifRange = headers['if-range']?.toString();
  const isMet = ifRange === modified || `"${ifRange}"` === etag;
  return { range: headers.range, ifRange: isMet ? etag : ifRange };
}

const partOf = ({ first, last }: ByteRange, size: number): Record<string, string | number> => ({
  'content-length': last - first + 1,
  'content-range': `bytes ${first}-${last}/${size}`,
});
