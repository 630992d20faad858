/** What the palette offers: what it says, where it goes, and the line that does the same in a shell. */
export interface Entry {
  id: string;
  text: string;
  hint: string;
  href: string;
  /** What people gave a name to is not translated. */
  isName?: boolean;
}

/** Entries that hold all the words, those that begin with the first of them before the others. */
export function found(entries: readonly Entry[], typed: string, most = 12): Entry[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = ({ text }: Entry) => (words[0] !== undefined && text.toLowerCase().startsWith(words[0]) ? 0 : 1);
  return entries
    .filter(({ text, hint }) => words.every((word) => `${text} ${hint}`.toLowerCase().includes(word)))
    .map((entry, n) => ({ entry, n }))
    .sort((a, b) => rank(a.entry) - rank(b.entry) || a.n - b.n)
    .map(({ entry }) => entry)
    .slice(0, most);
}
