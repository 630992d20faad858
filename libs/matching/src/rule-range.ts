export interface Range {
  start: number;
  end: number;
}

/** Strings (raw ones know no escape) and comments, which may hold parentheses that are none; then the parentheses. */
const TOKENS =
  /[rR]"""[^]*?"""|[rR]'''[^]*?'''|[rR]"[^"]*"|[rR]'[^']*'|"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\/\/[^\n]*|[()]/g;

/** Where the pairs of parentheses stand in a text that has parsed. */
function parentheses(source: string): Range[] {
  const open: number[] = [];
  const pairs: Range[] = [];
  for (const { 0: token, index } of source.matchAll(TOKENS)) {
    if (token === '(') open.push(index);
    if (token === ')') pairs.push({ start: open.pop() ?? 0, end: index + 1 });
  }
  return pairs;
}

/** The parser begins `(a) == b` behind the first parenthesis. Widens a range until it cuts no pair in two. */
export function wholeRanges(source: string): (range: Range) => Range {
  const pairs = parentheses(source);
  return (range) => {
    let { start, end } = range;
    // Inner pairs close first, so one pass meets them in the order in which they widen the range.
    for (const pair of pairs) {
      const [opens, closes] = [pair.start >= start && pair.start < end, pair.end > start && pair.end <= end];
      if (opens !== closes) [start, end] = [Math.min(start, pair.start), Math.max(end, pair.end)];
    }
    return { start, end };
  };
}
