import { createHash } from 'node:crypto';
import { applyDecorators, UseGuards } from '@nestjs/common';
import { ApiBody, ApiParam } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BodyLimit } from '#runtime/nest/runtime.module.js';
import type { Root } from '../../ddi/bodies.js';
import { DDI_LIMITS } from '../../ddi/read-body.js';
import { refusal } from '../../errors.js';
import { sendConditional } from '../conditional.js';
import { DdiGuard } from './ddi-guard.js';
import { unknownAction } from './ddi-actions.js';

/** Routes below `:tenant/controller/v1/:controllerId`, for the client that is named there. */
export const OfController = () =>
  applyDecorators(
    ApiParam({ name: 'controllerId', schema: { type: 'string', maxLength: 100 } }),
    ApiParam({ name: 'tenant', schema: { type: 'string' } }),
    UseGuards(DdiGuard),
  );

/** Takes what a client tells, in a body that is read as hawkBit reads it (`ddi/read-body.ts`). */
export const TakesBody = ({ required = true } = {}) =>
  applyDecorators(
    BodyLimit(DDI_LIMITS.body),
    ApiBody({ schema: { type: 'object' }, ...(required ? {} : { required }) }),
  );

const MOST = 2 ** 31 - 1;

/** @throws CampaignError `ddi.unknown` for what can be no id of ours */
export function idOf(text: string): number {
  const id = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  if (id < 1 || id > MOST) throw unknownAction();
  return id;
}

/** @throws CampaignError `ddi.malformed` */
export function countOf(history: string | undefined): number {
  if (history === undefined) return 0;
  if (!/^-?\d{1,9}$/.test(history)) throw refusal('ddi.malformed', '/actionHistory', 'must be an integer');
  return Number(history);
}

/** Links are absolute, by the name that the client calls us. */
export const rootOf = ({ headers, params }: FastifyRequest): Root => {
  const { tenant = '', controllerId = '' } = params as Record<string, string>;
  return `https://${headers.host}/${tenant}/controller/v1/${encodeURIComponent(controllerId)}`;
};

/** JSON under an ETag of its bytes; as HAL to who asks for that. */
export function sendDdi(request: FastifyRequest, reply: FastifyReply, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body), 'utf8');
  const isHal = /application\/hal\+json/.test(request.headers.accept ?? '');
  sendConditional(request, reply, {
    body: bytes,
    etag: `"0${createHash('md5').update(bytes).digest('hex')}"`,
    headers: { 'content-type': isHal ? 'application/hal+json' : 'application/json' },
  });
}
