import { lookup } from 'node:dns';
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { Clock } from '#runtime/index.js';
import { CLOCK } from '#runtime/nest/runtime.module.js';
import type { CampaignErrorCode } from '../errors.js';
import { SIGNATURE_HEADER, signatureOf } from '../message-signature.js';
import { barred, checkTargetUrl, hostKind, kindOf, type Reach } from '../target-address.js';
import { CAMPAIGN_OPTIONS, type CampaignOptions } from './options.js';

const TIMEOUT_MS = 5_000;

export interface Target {
  url: string;
  /** Key of its signatures. */
  secret: string;
}

export interface Sent {
  isTaken: boolean;
  /** Why it was not: a status, or what went wrong with the connection. Nothing of what was answered. */
  failure: string | null;
}

/** It resolved to where nothing goes. */
class Barred extends Error {}

/** Messages to other systems, of which nothing here depends on the answer. */
@Injectable()
export class TargetDoor {
  private readonly reach: Reach;

  constructor(
    @Inject(CAMPAIGN_OPTIONS) { privateTargets = false }: CampaignOptions,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.reach = { privateTargets };
  }

  /** @returns the address in one form. @throws CampaignError of the code given */
  check(url: string, code: CampaignErrorCode): string {
    return checkTargetUrl(url, code, this.reach).href;
  }

  /**
   * Posts one signed message. Redirects are not followed, the answer's body is not read, and it has five seconds. Where it
   * goes is looked at for each: a name may come to stand for something else, and the setting may have changed.
   */
  post(
    { url: text, secret }: Target,
    body: string,
    { headers = {}, signal }: { headers?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Sent> {
    const url = new URL(text);
    const kind = hostKind(url.hostname);
    const why = kind === undefined ? undefined : barred(kind, url.protocol, this.reach);
    if (why !== undefined) return Promise.resolve({ isTaken: false, failure: `the address ${why}` });
    const limit = AbortSignal.timeout(TIMEOUT_MS);
    const options = {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        'user-agent': 'muster',
        [SIGNATURE_HEADER]: signatureOf(secret, body, this.clock.now()),
        ...headers,
      },
      agent: false,
      lookup: this.lookup(url.protocol),
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    } as const;
    return new Promise((done) => {
      const send = url.protocol === 'https:' ? overHttps : overHttp;
      const request = send(url, options, (answer) => {
        const { statusCode = 0 } = answer;
        answer.on('error', () => undefined);
        request.on('error', () => undefined);
        answer.destroy();
        const isTaken = statusCode >= 200 && statusCode < 300;
        done({ isTaken, failure: isTaken ? null : `status ${statusCode}` });
      });
      // An upgrade that nobody asked for ends a request without an answer and without an error.
      request.on('close', () => done({ isTaken: false, failure: 'closed without an answer' }));
      request.on('error', (error) => done({ isTaken: false, failure: limit.aborted ? LATE : failureOf(error) }));
      request.end(body);
    });
  }

  /** Names are looked at when they have been resolved, so that none can point elsewhere afterwards. */
  private lookup(protocol: string): LookupFunction {
    return (host, options, done) =>
      lookup(host, options, (error, address, family) => {
        const found = typeof address === 'string' ? [address] : (address ?? []).map((each) => each.address);
        const why = found.map((each) => barred(kindOf(each), protocol, this.reach)).find((each) => each !== undefined);
        if (error === null && why !== undefined) done(new Barred(`what ${host} stands for ${why}`), address, family);
        else done(error, address, family);
      });
  }
}

const LATE = `no answer within ${TIMEOUT_MS / 1_000} s`;

const failureOf = (error: Error & { code?: string }): string =>
  error instanceof Barred ? error.message : (error.code ?? error.name);
