/** How cards differ where the documents leave it to them. */
export interface CapabilityProfile {
  /** Answer to reset: T=1 alone, or readers that offer nothing else refuse it. */
  atr: Uint8Array;
  /** Option `i` of SCP03. */
  option: number;
  /** What GET DATA answers: the object in its tag, as GlobalPlatformPro wants it, or its value alone, as yubikit does. */
  dataObjects: 'in-tag' | 'bare';
  /** Commands and answers with lengths of two bytes. */
  isExtended: boolean;
}

export const PROFILES = {
  standard: {
    atr: Uint8Array.from(Buffer.from('3b8601475056534531e1', 'hex')),
    option: 0x70,
    dataObjects: 'in-tag',
    isExtended: true,
  },
  /** As YubiKeys answer. */
  'bare-objects': {
    atr: Uint8Array.from(Buffer.from('3b8601475056534531e1', 'hex')),
    option: 0x70,
    dataObjects: 'bare',
    isExtended: true,
  },
} as const satisfies Record<string, CapabilityProfile>;
