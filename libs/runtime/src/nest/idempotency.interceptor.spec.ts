import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { firstValueFrom, of } from 'rxjs';
import { expect, it } from 'vitest';
import { Idempotency, type IdempotencyStore } from './idempotency.interceptor.js';

it('answers what was done although the answer could not be kept, and does not let a retry do it again', async () => {
  const released: string[] = [];
  const store: IdempotencyStore = {
    callerOf: () => ({ tenant: 'acme', caller: 'person:p' }),
    claim: async () => ({ state: 'claimed' }),
    finish: async () => {
      throw new Error('the database went away');
    },
    release: async ({ id }) => void released.push(id),
  };
  const request = {
    method: 'POST',
    url: '/v1/campaigns',
    headers: { 'idempotency-key': 'k' },
    body: {},
    routeOptions: { config: {} },
  };
  const http = { getRequest: () => request, getResponse: () => ({ statusCode: 201 }) };
  const context = { getType: () => 'http', switchToHttp: () => http } as unknown as ExecutionContext;
  const next: CallHandler = { handle: () => of({ campaignId: 'c' }) };
  const answer = await firstValueFrom(new Idempotency(store).intercept(context, next));
  expect(answer).toEqual({ campaignId: 'c' });
  expect(released).toEqual([]);
});
