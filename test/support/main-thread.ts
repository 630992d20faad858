import type { Browser, CDPSession, Page } from 'playwright-core';

/** Part of a trace event (Trace Event Format, "complete events"). Times are microseconds. */
interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  /** Of the thread's own clock: what others took of the processor is not in it. */
  tdur?: number;
  args?: { name?: string };
}

const CATEGORIES = ['toplevel', 'v8', 'devtools.timeline', 'disabled-by-default-devtools.timeline'];
const COLLECTION = /^(MinorGC|MajorGC|BlinkGC|V8\.GC|CppGC)/;

/** How long the main thread's tasks took without the collections in them, milliseconds of its CPU, longest first. */
export async function tasksDuring(browser: Browser, page: Page, work: () => Promise<void>): Promise<number[]> {
  await browser.startTracing(page, { categories: CATEGORIES });
  await work();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString('utf8')) as { traceEvents: TraceEvent[] };
  const main = mainThread(traceEvents);
  const own = traceEvents.filter(({ pid, tid, ph }) => ph === 'X' && pid === main.pid && tid === main.tid);
  const collections = own.filter(({ name }) => COLLECTION.test(name));
  return own
    .filter(({ name }) => name === 'RunTask' || name === 'ThreadControllerImpl::RunTask')
    .map((task) => (timeOf(task) - collectedIn(task, collections)) / 1_000)
    .sort((a, b) => b - a);
}

const timeOf = ({ dur = 0, tdur = dur }: TraceEvent): number => Math.min(dur, tdur);

/** Collections nest; the outermost of a task count. */
function collectedIn({ ts, dur = 0 }: TraceEvent, collections: readonly TraceEvent[]): number {
  let [sum, end] = [0, ts];
  for (const each of collections) {
    if (each.ts < end || each.ts >= ts + dur) continue;
    sum += timeOf(each);
    end = each.ts + (each.dur ?? 0);
  }
  return sum;
}

/** The renderer's that had most to do: the page's. */
function mainThread(events: readonly TraceEvent[]): { pid: number; tid: number } {
  const named = events.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain');
  const busy = (pid: number) => events.filter((event) => event.pid === pid && event.ph === 'X').length;
  const [most] = named.sort((a, b) => busy(b.pid) - busy(a.pid));
  if (most === undefined) throw new Error('the trace names no main thread of a page');
  return most;
}

/** Bytes of JavaScript objects that are still in use. */
export async function heapOf(session: CDPSession): Promise<number> {
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
}
