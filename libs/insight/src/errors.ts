import { DomainError } from '#runtime/index.js';

export type InsightErrorCode =
  | 'as-of.unsupported'
  | 'as-of.busy'
  | 'campaign.unknown'
  | 'operation.over'
  | 'device.unknown'
  | 'operation.unknown'
  | 'projection.unknown'
  | 'live.too-many'
  | 'rate.range';
/** A question that the read side cannot answer. Nothing was changed. */
export class InsightError extends DomainError<InsightErrorCode> {}
