import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AddressKind, checkTargetUrl, hostKind, kindOf } from './target-address.js';

const refusedBy = (url: string, privateTargets: boolean): unknown => {
  try {
    return checkTargetUrl(url, 'webhook.url', { privateTargets }).href;
  } catch (error) {
    const { code, fields } = error as { code: string; fields: { pointer: string }[] };
    return [code, fields[0]?.pointer];
  }
};
const REFUSED = ['webhook.url', '/url'];

describe('an address', () => {
  it.each<[AddressKind, string[]]>([
    ['public', ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '64:ff9b::8.8.8.8']],
    ['public', ['::ffff:8.8.8.8', '2002:808:808::1', '192.0.1.1']],
    ['private', ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1', '127.0.0.1', '127.255.0.9']],
    ['private', ['0.0.0.0', '0.1.2.3', '::', '::1', 'fc00::1', 'fd12:3456::1', '::ffff:10.0.0.1', '::ffff:7f00:1']],
    ['private', ['64:ff9b::10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', '2002:c0a8:101::5', '::192.168.1.1']],
    ['private', ['198.18.0.1', '203.0.113.9', '2001:db8::1', 'fec0::1']],
    [
      'never',
      ['169.254.169.254', '169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fd00:ec2::254', 'fd20:ce::254'],
    ],
    ['never', ['100.100.100.200', '192.0.0.192', '168.63.129.16', '224.0.0.1', '255.255.255.255', 'ff02::1']],
    ['never', ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::169.254.169.254', '64:ff9b::a9fe:a9fe']],
    ['never', ['64:ff9b::100.100.100.200', '64:ff9b:1::8.8.8.8', '64:ff9b:1:7f00::', '2002:a9fe:a9fe::1']],
    ['never', ['2001:0:4136:e378::1', '4000::1', '64:ff9a::1', 'example.org', '']],
  ])('is %s: %s', (kind, addresses) =>
    expect(addresses.map((address) => [address, kindOf(address)])).toEqual(addresses.map((address) => [address, kind])),
  );

  it('of IPv4 is the same in every form of IPv6 that stands for it', () => {
    const byte = fc.nat(255);
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const dotted = `${a}.${b}.${c}.${d}`;
        const hex = [a * 256 + b, c * 256 + d].map((group) => group.toString(16)).join(':');
        const kind = kindOf(dotted);
        for (const form of [`::ffff:${dotted}`, `::ffff:${hex}`, `64:ff9b::${dotted}`, `2002:${hex}::1`])
          expect([form, kindOf(form)]).toEqual([form, kind]);
      }),
    );
  });

  it.each([
    ['localhost', 'private'],
    ['LOCALHOST.', 'private'],
    ['push.localhost', 'private'],
    ['[::1]', 'private'],
    ['localhost.example', undefined],
    ['push.example', undefined],
  ] as const)('as the host %s is %s', (host, kind) => expect(hostKind(host)).toBe(kind));
});

describe('where messages go', () => {
  it.each([
    'https://push.example/muster',
    'https://push.example:8443/?a=b',
    'https://8.8.8.8/',
    'https://[2606:4700::1]/',
  ])('may be %s, whatever the server allows', (url) =>
    expect([refusedBy(url, false), refusedBy(url, true)]).toEqual([url, url]),
  );

  it.each([
    'http://push.example/',
    'http://127.0.0.1:9000/x',
    'https://127.0.0.1/',
    'https://localhost/',
    'https://localhost./',
    'http://[::1]:9000/',
    'https://10.0.0.1/',
    'https://192.168.1.1/',
    'https://[fd12:3456::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[64:ff9b::10.0.0.1]/',
    // The forms that URLs take for one: decimal, hexadecimal, octal, short.
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://0/',
  ])('is %s where the server allows private networks, and otherwise not: webhook.url', (url) => {
    expect(refusedBy(url, false)).toEqual(REFUSED);
    expect(refusedBy(url, true)).toBe(new URL(url).href);
  });

  it.each([
    'http://8.8.8.8/',
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'https://user:secret@push.example/',
    'https://user@push.example/',
    'https://169.254.169.254/latest',
    'https://2852039166/',
    'https://0xa9fea9fe/',
    'https://0251.0376.0251.0376/',
    'https://169.254.43518/',
    'https://[fe80::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://[64:ff9b::a9fe:a9fe]/',
    'https://[64:ff9b:1::1]/',
    'https://[fd00:ec2::254]/',
    'https://100.100.100.200/',
    'https://192.0.0.192/',
    'nowhere',
    '',
  ])('is never %s: webhook.url', (url) =>
    expect([refusedBy(url, false), refusedBy(url, true)]).toEqual([REFUSED, REFUSED]),
  );
});
