import {
  HandsetError,
  type HttpAnswer,
  type HttpRequest,
  isRefusal,
  retryAfterMs,
  type Transport,
} from '#handset/index.js';
import { type Meter } from './meter.js';

/** Idle for so long, a connection is given up: between two polls a handset sleeps longer than a server keeps one. */
const HANG_UP_MS = 500;

export interface Observer {
  meter: Meter;
  now: () => number;
  /** A poll begins. @returns when it should have; undefined when it comes by itself */
  begin: () => number | undefined;
  /** It has its answer, or has failed. */
  end: () => void;
  /** The server wants the handset only then, ms. */
  restUntil: (at: number) => void;
  /** Away, it reaches no server. */
  isGone: () => boolean;
  /** Reads to the middle of a content: whether its connection goes now. */
  isCutOff: (contentId: string) => boolean;
}

/** A handset's transport whose polls are counted, whose transfers may be cut off, and whose connections end with the visit. */
export function observed(inner: Transport, observer: Observer): Transport {
  let open = 0;
  let hangUp: NodeJS.Timeout | undefined;
  const enter = () => {
    open += 1;
    clearTimeout(hangUp);
  };
  const leave = once(() => {
    open -= 1;
    if (open === 0) hangUp = setTimeout(() => inner.close(), HANG_UP_MS).unref();
  });
  return {
    send: async (request) => {
      enter();
      const left = leave();
      try {
        const answer = await (isPoll(request) ? poll(inner, request, observer) : inner.send(request));
        return following(cutOff(answer, request, observer), left);
      } catch (error) {
        left();
        throw error;
      }
    },
    close: () => {
      clearTimeout(hangUp);
      inner.close();
    },
  };
}

/** Of each exchange the first end counts: discarded, read, or broken off. */
const once = (work: () => void) => (): (() => void) => {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
};

const isPoll = ({ url }: HttpRequest): boolean => url.endsWith('/timestamp.json');

async function poll(inner: Transport, request: HttpRequest, observer: Observer): Promise<HttpAnswer> {
  const { meter } = observer;
  const began = observer.now();
  const dueAt = observer.begin() ?? began;
  meter.begin(began - dueAt);
  const end = (outcome: Parameters<Meter['end']>[0], code?: string) => meter.end(outcome, observer.now() - dueAt, code);
  try {
    if (observer.isGone()) throw new HandsetError('transport.unreachable', { cause: 'fleet' });
    const answer = await inner.send(request);
    const { status, headers } = answer;
    if (status === 200 || status === 304) end('answered');
    else if (status === 503 || status === 429) {
      end('sentAway');
      const now = observer.now();
      observer.restUntil(now + (retryAfterMs(headers['retry-after'], now) ?? 0));
    } else end('failed', `HTTP ${status}`);
    return answer;
  } catch (error) {
    end('failed', isRefusal(error) ? error.code : 'unknown');
    throw error;
  } finally {
    observer.end();
  }
}

function following(answer: HttpAnswer, left: () => void): HttpAnswer {
  return {
    ...answer,
    body: (async function* () {
      try {
        yield* answer.body;
      } finally {
        left();
      }
    })(),
    discard: () => {
      answer.discard();
      left();
    },
  };
}

const CONTENT = /\/d\/v1\/contents\/([^/?]+)$/;

/** Half of a content that is to be cut off, then an error as of a lost connection. */
function cutOff(answer: HttpAnswer, { url }: HttpRequest, { isCutOff }: Observer): HttpAnswer {
  const contentId = CONTENT.exec(url)?.[1];
  if (contentId === undefined || (answer.status !== 200 && answer.status !== 206)) return answer;
  const half = Number(answer.headers['content-length'] ?? 0) / 2;
  const body = async function* () {
    let received = 0;
    for await (const chunk of answer.body) {
      yield chunk;
      received += chunk.length;
      if (received < half || !isCutOff(contentId)) continue;
      answer.discard();
      throw new HandsetError('transport.interrupted', { cause: 'fleet' });
    }
  };
  return { ...answer, body: body() };
}
