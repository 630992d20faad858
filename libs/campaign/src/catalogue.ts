import { createHash } from 'node:crypto';
import type { JSONWebKeySet } from 'jose';
import { contentTargetPath } from '#device-protocol/index.js';
import { canonicalJson, type JsonObject, type TargetFile, targetOf } from '#tuf/index.js';
import type { AttributeSchema } from '#matching/index.js';
import type { TenantBoard } from './board.js';
import { contentTarget, isOffered } from './offers.js';

/** A target whose bytes are served beside the metadata. Content bytes never are: they take a certificate and a grant. */
export interface SmallFile {
  target: TargetFile;
  bytes: Uint8Array;
}

/** What the repository of one channel must say now; a function of the log and of the grant keys. */
export interface Catalogue {
  /** For the role `catalogue`: `content/<id>`. */
  contents: TargetFile[];
  /** For the role `policy`: `schema/<v>`, `rules/<v>`, `policy/grant-keys`. */
  policy: SmallFile[];
  /** Campaigns that have an offer in it. */
  campaigns: string[];
  /** First 6 bytes, hex, of sha-256 over the described data: what a poll names. */
  digest: string;
}

export function catalogueOf(board: TenantBoard, channel: string, grantKeys: JSONWebKeySet): Catalogue {
  // In the order of their ids: the board's own depends on how partitions were read, and every instance must say the same.
  const campaigns = [...board.campaigns]
    .filter(([, state]) => isOffered(state) && state.settings?.channel === channel)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const offered = [...board.contents.values()].flatMap((content) => {
    const custom = contentTarget(content, campaigns);
    return custom === undefined ? [] : [{ content: content.published!, custom }];
  });
  const contents = offered.map(({ content, custom }) => ({
    path: contentTargetPath(content.contentId),
    length: content.sizeBytes,
    hashes: { sha256: content.sha256 },
    custom: custom as unknown as JsonObject, // JSON by construction; signing refuses what has no canonical form
  }));
  contents.sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    contents,
    policy: policyOf(board, channel, grantKeys),
    campaigns: [...new Set(offered.flatMap(({ custom }) => custom.offers.map(({ campaign }) => campaign)))].sort(),
    digest: digestOf(contents),
  };
}

function policyOf({ schema, rules }: TenantBoard, channel: string, grantKeys: JSONWebKeySet): SmallFile[] {
  const ruleSet = rules.get(channel);
  return [
    smallFile('policy/grant-keys', grantKeys),
    ...(ruleSet === undefined ? [] : [smallFile(`rules/${ruleSet.version}`, ruleSet)]),
    ...(schema.version === 0 ? [] : [smallFile(`schema/${schema.version}`, forHandsets(schema))]),
  ];
}

/** Whose word counts is compared here alone, and handsets of before refuse words that they do not know. */
function forHandsets({ version, attributes }: AttributeSchema): AttributeSchema {
  const known = Object.entries(attributes).map(
    ([name, { prefers: _, ...declaration }]) => [name, declaration] as const,
  );
  return { version, attributes: Object.fromEntries(known) };
}

function smallFile(path: string, json: object): SmallFile {
  const bytes = Buffer.from(JSON.stringify(json), 'utf8');
  return { target: targetOf(path, bytes), bytes };
}

/** Over paths, digests and descriptions, in canonical form: the same catalogue has the same digest in every snapshot. */
const digestOf = (contents: readonly TargetFile[]): string =>
  createHash('sha256').update(canonicalJson(contents)).digest('hex').slice(0, 12);
