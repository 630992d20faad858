/** What a process looked like at one moment of a soak. */
export interface SoakSample {
  /** Since the load began, ms. */
  atMs: number;
  rssMiB: number;
  /** Of the heap and of buffers beside it, as the process counts them. */
  heapMiB: number;
  /** Open files and sockets. */
  descriptors: number;
  /** What Node keeps itself alive by. */
  handles: number;
  /** Records that read models have not applied. */
  lag: number;
}

export interface SoakLimits {
  /** Nothing before counts: caches fill, code is compiled, the heap finds its size. */
  warmUpMs: number;
  /** Between two collections memory only grows: of each such piece the lowest sample counts. */
  pieceMs: number;
  /** Of the resident memory, MiB a minute. */
  rssSlope: number;
  /** Of heap and buffers. */
  heapSlope: number;
  /** From the first third to the last, of the median: share, and so many beside. */
  handleGrowth: { share: number; beside: number };
}

export interface SoakVerdict {
  /** MiB a minute. */
  rssSlope: number;
  heapSlope: number;
  descriptors: { first: number; last: number };
  handles: { first: number; last: number };
  /** What is wrong, in words; nothing when all is well. */
  faults: string[];
}

/** So many pieces after the warm-up at least, and two samples in each: a slope through fewer says nothing. */
const LEAST_PIECES = 4;

/**
 * Tells a leak from a warm-up: after the warm-up the floor of memory, what is left when the collector has been, must not rise, and
 * neither must handles. The slope is the median over all pairs of pieces (Theil and Sen), which one large collection or
 * one piece without any does not move. Too few samples are a fault, as is one that is no number: they could not show a leak.
 */
export function judgeSoak(samples: readonly SoakSample[], limits: SoakLimits): SoakVerdict {
  const warm = samples.filter(({ atMs }) => atMs >= limits.warmUpMs);
  const rssSlope = slopeOf(floors(warm, limits.pieceMs, ({ rssMiB }) => rssMiB));
  const heapSlope = slopeOf(floors(warm, limits.pieceMs, ({ heapMiB }) => heapMiB));
  const descriptors = thirds(warm.map((sample) => sample.descriptors));
  const handles = thirds(warm.map((sample) => sample.handles));
  const { share, beside } = limits.handleGrowth;
  const grows = ({ first, last }: { first: number; last: number }) => last > first * (1 + share) + beside;
  const faults = [
    ...lacks(warm, limits.pieceMs),
    ...(rssSlope > limits.rssSlope ? [`resident memory grows by ${rssSlope.toFixed(2)} MiB a minute`] : []),
    ...(heapSlope > limits.heapSlope ? [`the heap grows by ${heapSlope.toFixed(2)} MiB a minute`] : []),
    ...(grows(descriptors) ? [`descriptors grow from ${descriptors.first} to ${descriptors.last}`] : []),
    ...(grows(handles) ? [`handles grow from ${handles.first} to ${handles.last}`] : []),
  ];
  return { rssSlope, heapSlope, descriptors, handles, faults };
}

function lacks(warm: readonly SoakSample[], pieceMs: number): string[] {
  const pieces = new Set(warm.map(({ atMs }) => Math.floor(atMs / pieceMs))).size;
  const isShort = pieces < LEAST_PIECES || warm.length < 2 * LEAST_PIECES;
  const isNumber = warm.every((sample) => Object.values(sample).every(Number.isFinite));
  return [
    ...(isShort ? [`too few samples after the warm-up: ${warm.length} in ${pieces} pieces`] : []),
    ...(isNumber ? [] : ['a sample has a figure that is no number']),
  ];
}

interface Point {
  minutes: number;
  value: number;
}

function floors(samples: readonly SoakSample[], pieceMs: number, of: (sample: SoakSample) => number): Point[] {
  const pieces = new Map<number, Point>();
  for (const sample of samples) {
    const piece = Math.floor(sample.atMs / pieceMs);
    const value = of(sample);
    const lowest = pieces.get(piece);
    if (lowest === undefined || value < lowest.value) pieces.set(piece, { minutes: sample.atMs / 60_000, value });
  }
  return [...pieces.values()];
}

/** A minute; 0 of fewer than two points. */
function slopeOf(points: readonly Point[]): number {
  const slopes = points.flatMap((a, i) =>
    points.slice(i + 1).map((b) => (b.value - a.value) / (b.minutes - a.minutes)),
  );
  return median(slopes);
}

function thirds(values: readonly number[]): { first: number; last: number } {
  const third = Math.ceil(values.length / 3);
  return { first: median(values.slice(0, third)), last: median(values.slice(-third)) };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
