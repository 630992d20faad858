/** How cards differ where the documents leave it to them. */
export interface CapabilityProfile {
  /** Answer to reset: T=1 alone, or readers that offer nothing else refuse it. */
  atr: Uint8Array;
  /** Option `i` of SCP03. */
  option: number;
  /** Key information (GET DATA E0) in its tag, as GlobalPlatformPro wants it, or the bare list, as yubikit does. */
  keyInformation: 'in-tag' | 'bare';
  /** Commands and answers with lengths of two bytes. */
  isExtended: boolean;
}

export const PROFILES = {
  standard: {
    atr: Uint8Array.from(Buffer.from('3b8601475056534531e1', 'hex')),
    option: 0x70,
    keyInformation: 'in-tag',
    isExtended: true,
  },
  /** As YubiKeys answer. */
  'bare-key-list': {
    atr: Uint8Array.from(Buffer.from('3b8601475056534531e1', 'hex')),
    option: 0x70,
    keyInformation: 'bare',
    isExtended: true,
  },
} as const satisfies Record<string, CapabilityProfile>;
