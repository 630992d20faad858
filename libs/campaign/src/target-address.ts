import { BlockList, isIP, isIPv6 } from 'node:net';
import { type CampaignErrorCode, refusal } from './errors.js';

/** How far messages of this installation go. */
export interface Reach {
  /** To private networks and to this machine too, there also by http. */
  privateTargets: boolean;
}

/** never: where clouds keep the credentials of their machines, link-local, or the address of nobody in particular. */
export type AddressKind = 'public' | 'private' | 'never';

/** What nothing is ever sent to. Single addresses: metadata of AWS (IPv6), Alibaba, Oracle and Google (IPv6), Azure's WireServer. */
const NEVER = blocks(
  ['169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4', '100.100.100.200/32', '192.0.0.192/32', '168.63.129.16/32'],
  // The last two carry an IPv4 address in ways that are somebody's own: NAT64 of local use (RFC 8215), Teredo.
  ['fe80::/10', 'ff00::/8', 'fd00:ec2::254/128', 'fd20:ce::254/128', '64:ff9b:1::/48', '2001::/32'],
);

/** Not globally reachable (IANA's registries of special-purpose addresses). `0.0.0.0` and `::` are this machine to Linux. */
const PRIVATE = blocks(
  [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
    ...['192.0.0.0/24', '192.0.2.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ],
  ['::/128', '::1/128', 'fc00::/7', 'fec0::/10', '100::/64', '2001:db8::/32'],
);

/** All of IPv6 that is given out; a range that is not named above is none that we know. */
const GIVEN_OUT = blocks([], ['2000::/3']);

function blocks(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [ranges, family] of [[ipv4, 'ipv4'] as const, [ipv6, 'ipv6'] as const])
    for (const range of ranges) {
      const [net = '', bits] = range.split('/');
      list.addSubnet(net, Number(bits), family);
    }
  return list;
}

/** Of an address as text; those that stand for an IPv4 address are what that one is. */
export function kindOf(text: string): AddressKind {
  const address = text.replace(/%.*$/, ''); // a zone names an interface
  const ipv4 = isIPv6(address) ? embedded(address) : address;
  if (ipv4 !== undefined && isIP(ipv4) !== 4) return 'never';
  const [one, family] = ipv4 === undefined ? ([address, 'ipv6'] as const) : ([ipv4, 'ipv4'] as const);
  if (NEVER.check(one, family)) return 'never';
  if (PRIVATE.check(one, family)) return 'private';
  return family === 'ipv4' || GIVEN_OUT.check(one, family) ? 'public' : 'never';
}

/** The IPv4 address in one of IPv6: mapped and compatible (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056). */
function embedded(address: string): string | undefined {
  const groups = groupsOf(address);
  const high = groups.slice(0, 6).map((group) => group.toString(16));
  const prefix = high.join(':');
  if (high[0] === '2002') return dotted(groups[1]!, groups[2]!);
  const isCompatible = prefix === '0:0:0:0:0:0' && groups[6]! > 0;
  const isMarked = prefix === '0:0:0:0:0:ffff' || prefix === '64:ff9b:0:0:0:0';
  return isCompatible || isMarked ? dotted(groups[6]!, groups[7]!) : undefined;
}

const dotted = (high: number, low: number): string => [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');

/** The eight groups of an address that is one. */
function groupsOf(address: string): number[] {
  const hex = new URL(`http://[${address}]/`).hostname.slice(1, -1); // compressed, without dots
  const [left = '', right] = hex.split('::');
  const numbers = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  const [before, after] = [numbers(left), numbers(right ?? '')];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** Of the host of a URL, which has made one form of all numbers; a name has none until it is resolved. */
export function hostKind(hostname: string): AddressKind | undefined {
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return kindOf(host);
  return /(^|\.)localhost\.?$/i.test(host) ? 'private' : undefined; // RFC 6761
}

/** Why nothing goes to such an address by such a protocol; undefined when it may. */
export function barred(kind: AddressKind, protocol: string, { privateTargets }: Reach): string | undefined {
  if (kind === 'never') return 'must not be link-local, multicast, or where a cloud keeps credentials';
  if (kind === 'private' && !privateTargets)
    return 'must not be private or this machine, which MUSTER_PRIVATE_TARGETS of the server allows';
  return kind === 'public' && protocol !== 'https:' ? 'must be https, where the address is public' : undefined;
}

/**
 * An address that messages may go to. What a name stands for is looked at when it is resolved, for each message.
 * @throws CampaignError of the code given, naming the field `url`
 */
export function checkTargetUrl(text: string, code: CampaignErrorCode, reach: Reach): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const wrong = url === undefined ? 'must be a URL' : wrongOf(url, reach);
  if (url === undefined || wrong !== undefined) throw refusal(code, '/url', wrong ?? 'must be a URL');
  return url;
}

function wrongOf({ username, password, protocol, hostname }: URL, reach: Reach): string | undefined {
  if (username !== '' || password !== '') return 'must hold no user or password';
  if (protocol !== 'https:' && protocol !== 'http:') return 'must be https';
  const kind = hostKind(hostname);
  if (kind !== undefined) return barred(kind, protocol, reach);
  return protocol === 'https:' || reach.privateTargets ? undefined : 'must be https';
}
