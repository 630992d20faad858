/** Device-made facts on `muster.device`, as the agent queues them and `POST /d/v1/facts` brings them. None holds an attribute value. */
export type DeviceFactByHandset =
  | { type: 'TriggerFired'; data: { rule: string; version: number; on: string } }
  | { type: 'AvailabilityRequested'; data: { rule: string; version: number; snapshotVersion: number } }
  | { type: 'ContentMatched'; data: { contentId: string; campaignId: string; snapshotVersion: number } }
  | { type: 'TransferStarted'; data: { contentId: string; campaignId: string } }
  | { type: 'TransferResumed'; data: { contentId: string; campaignId: string; fromByte: number } }
  | { type: 'TransferCompleted'; data: { contentId: string; campaignId: string; bytes: number; sha256: string } }
  | {
      type: 'ProcessingAcknowledged';
      data: { contentId: string; campaignId: string; application: string; outcome: 'done' | 'failed'; inboxId: string };
    }
  | {
      type: 'InstallReported';
      data: { contentId: string; campaignId: string; outcome: 'installed' | 'failed'; code?: string };
    }
  | { type: 'OutcomeConfirmed'; data: { contentId: string; campaignId: string; outcome: 'confirmed' | 'rolled-back' } }
  | { type: 'CatalogueRefused'; data: { code: string } };
