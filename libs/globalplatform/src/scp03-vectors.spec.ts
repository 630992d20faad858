import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { publishedVectors } from '../../../test/support/vectors.js';
import type { AesKey } from './aes.js';
import { decodeApdu, encodeApdu } from './apdu.js';
import { concat, fromHex, toHex } from './bytes.js';
import { putKey, putKeyAnswer, readPutKey } from './put-key.js';
import { unwrapCommand, unwrapResponse, wrapCommand, wrapResponse } from './scp03-channel.js';
import { contextOf, deriveSessionKeys, keyCheckText, pseudoRandomChallenge } from './scp03-keys.js';
import {
  acceptHost,
  answerInitializeUpdate,
  decodeInitializeUpdateAnswer,
  encodeInitializeUpdateAnswer,
  initializeUpdate,
  openChannel,
} from './scp03-open.js';
import { unwrapSegment, wrapSegment } from './scp03-segment.js';

/* Sessions that others have published: of real cards, and of their own tests. */

interface Session {
  id: string;
  kEnc: string;
  kMac: string;
  initializeUpdate: { command: string; response: string };
  hostChallenge: string;
  kvn: string;
  i: string;
  cardChallenge: string;
  sequenceCounter?: string;
  pseudoRandom: { invokingAid: string | null; verified: boolean };
  session: { sEnc: string; sMac: string; sRmac: string };
  externalAuthenticate: string;
  securityLevel: string;
  apdus: { plain: string; wrapped: string; response?: string; responsePlain?: string; sw?: string }[];
}

interface Published {
  vectors: Session[];
  cardChallengeVectors: {
    kEnc: string;
    sequenceCounter: string;
    aid: string;
    lengthBits: number;
    cardChallenge: string;
    from: string;
  }[];
}

const scp03 = publishedVectors<Published>('scp03');

/** This emulation of a card pads with a block more than it must; a host reads it, and no card needs to do so. */
const PADS_MORE = 'samsung';

/** `9000` may stand behind the data or not. */
const dataOf = (session: Session): Uint8Array => fromHex(session.initializeUpdate.response.replace(/9000$/, ''));

const hostSide = (session: Session) =>
  openChannel(
    {
      keyset: { enc: fromHex(session.kEnc), mac: fromHex(session.kMac) },
      keyVersion: Number.parseInt(session.kvn, 16),
      hostChallenge: fromHex(session.hostChallenge),
      level: Number.parseInt(session.securityLevel, 16),
      aid: session.pseudoRandom.verified ? fromHex(session.pseudoRandom.invokingAid!) : undefined,
    },
    dataOf(session),
  );

describe.skipIf(scp03 === undefined).each(scp03?.vectors ?? [])('the published session $id', (session) => {
  it('begins with the INITIALIZE UPDATE that was sent', () => {
    const sent = decodeApdu(fromHex(session.initializeUpdate.command));
    expect(encodeApdu({ ...initializeUpdate(sent.p1, fromHex(session.hostChallenge)), le: sent.le })).toEqual(
      encodeApdu(sent),
    );
  });

  it('has these session keys', () => {
    const keyset = { enc: createSecretKey(fromHex(session.kEnc)), mac: createSecretKey(fromHex(session.kMac)) };
    const keys = deriveSessionKeys(keyset, fromHex(session.hostChallenge), fromHex(session.cardChallenge));
    const hex = (key: AesKey): string => toHex(key instanceof Uint8Array ? key : key.export());
    expect({ sEnc: hex(keys.enc), sMac: hex(keys.mac), sRmac: hex(keys.rmac) }).toEqual(session.session);
  });

  it('is opened and used by the host byte for byte, and answers are understood', () => {
    const { channel: opened, command } = hostSide(session);
    expect(toHex(encodeApdu(command))).toBe(session.externalAuthenticate.slice(0, 2 * encodeApdu(command).length));
    let channel = opened;
    for (const { plain, wrapped, response, responsePlain, sw } of session.apdus) {
      const step = wrapCommand(channel, decodeApdu(fromHex(plain)));
      expect(toHex(encodeApdu(step.command))).toBe(wrapped);
      ({ channel } = step);
      if (response === undefined) continue;
      const read = unwrapResponse(channel, { data: fromHex(response), sw: Number.parseInt(sw!, 16) });
      expect(toHex(read.data)).toBe(responsePlain ?? response);
    }
  });

  it('is accepted by our card, which reads the commands and answers with the same bytes', () => {
    const begun = decodeInitializeUpdateAnswer(dataOf(session));
    expect(encodeInitializeUpdateAnswer(begun)).toEqual(dataOf(session));
    const context = contextOf(fromHex(session.hostChallenge), begun.cardChallenge);
    const keys = deriveSessionKeys(
      { enc: fromHex(session.kEnc), mac: fromHex(session.kMac) },
      fromHex(session.hostChallenge),
      begun.cardChallenge,
    );
    let channel = acceptHost(
      { keys, context, option: begun.option },
      decodeApdu(fromHex(session.externalAuthenticate)),
    );
    for (const { plain, wrapped, response, responsePlain, sw } of session.apdus) {
      const step = unwrapCommand(channel, decodeApdu(fromHex(wrapped)));
      expect(toHex(encodeApdu(step.command))).toBe(toHex(encodeApdu(decodeApdu(fromHex(plain)))));
      ({ channel } = step);
      if (response === undefined) continue;
      const answer = { data: fromHex(responsePlain ?? response), sw: Number.parseInt(sw!, 16) };
      const made = toHex(wrapResponse(channel, answer).data);
      if (made.length === response.length || !session.id.startsWith(PADS_MORE)) expect(made).toBe(response);
    }
  });
});

describe.skipIf(scp03 === undefined)('a published pseudo-random session', () => {
  it.each((scp03?.vectors ?? []).filter(({ pseudoRandom }) => pseudoRandom.verified))(
    '$id is answered by our card with the bytes of the real one',
    (session) => {
      const real = decodeInitializeUpdateAnswer(dataOf(session));
      const { answer } = answerInitializeUpdate(
        {
          keyset: { enc: fromHex(session.kEnc), mac: fromHex(session.kMac) },
          keyVersion: real.keyVersion,
          option: real.option,
          aid: fromHex(session.pseudoRandom.invokingAid!),
          sequenceCounter: real.sequenceCounter,
          diversification: real.diversification,
        },
        decodeApdu(fromHex(session.initializeUpdate.command)),
      );
      expect(encodeInitializeUpdateAnswer(answer)).toEqual(dataOf(session));
    },
  );

  it.each(scp03?.cardChallengeVectors ?? [])('of $from has the challenge that counter and AID lead to', (vector) =>
    expect(
      toHex(
        pseudoRandomChallenge(
          fromHex(vector.kEnc),
          Number.parseInt(vector.sequenceCounter, 16),
          fromHex(vector.aid),
          vector.lengthBits === 64 ? 8 : 16,
        ),
      ),
    ).toBe(vector.cardChallenge),
  );
});

interface Segments {
  sEnc: string;
  sMac: string;
  initialMacChainingValue: string;
  segments: { tag: string; mode: string; plain: string; protected: string }[];
}
const bsp = publishedVectors<Segments>('bsp-scp03t');

describe.skipIf(bsp === undefined)('published protected segments', () => {
  it('are made and read byte for byte', () => {
    const start = {
      keys: { enc: fromHex(bsp!.sEnc), mac: fromHex(bsp!.sMac) },
      macBytes: 8 as const,
      chain: fromHex(bsp!.initialMacChainingValue),
      counter: 0,
    };
    let [host, element] = [start, start];
    for (const { tag, mode, plain, protected: expected } of bsp!.segments) {
      const how = { tag: Number.parseInt(tag, 16), isEncrypted: mode === 'encrypt+mac' };
      const made = wrapSegment(host, fromHex(plain), how);
      expect(toHex(made.segment)).toBe(expected);
      const read = unwrapSegment(element, made.segment, how);
      expect([read.tag, toHex(read.data)]).toEqual([how.tag, plain]);
      [host, element] = [made.channel, read.channel];
    }
  });
});

interface Keys {
  putKey: { staticDek: string; newKey: string; plainCommand: string };
  kcv: { key: string; kcv: string }[];
}
const keys = publishedVectors<Keys>('put-key');

describe.skipIf(keys === undefined)('PUT KEY as others send it', () => {
  it.each(keys?.kcv ?? [])('has the check value $kcv for $key', ({ key, kcv }) =>
    expect(keyCheckText(fromHex(key))).toBe(kcv.toUpperCase()),
  );

  it('is the same byte for byte, and is read back', () => {
    const { staticDek, newKey, plainCommand } = keys!.putKey;
    const key = fromHex(newKey);
    const command = putKey({ replaces: 0, keyVersion: 0x30, keys: [key, key, key] }, fromHex(staticDek));
    expect(toHex(encodeApdu({ ...command, le: undefined }))).toBe(plainCommand);
    const read = readPutKey(decodeApdu(fromHex(plainCommand)), fromHex(staticDek));
    expect(read).toMatchObject({ replaces: 0, keyVersion: 0x30 });
    expect(read.keys.map(({ keyId }) => keyId)).toEqual([1, 2, 3]);
    const kcv = fromHex('c35280');
    expect(putKeyAnswer(read)).toEqual(concat(Uint8Array.of(0x30), kcv, kcv, kcv));
  });
});
