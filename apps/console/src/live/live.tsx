import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, use, useEffect, useMemo, useSyncExternalStore } from 'react';
import { type LiveState, LiveStream } from './live-stream.js';

const LiveContext = createContext<LiveStream | undefined>(undefined);

/** One stream for the tab, while somebody is signed in. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const stream = useMemo(() => new LiveStream(queries), [queries]);
  useEffect(() => stream.start(), [stream]);
  return <LiveContext value={stream}>{children}</LiveContext>;
}

const OFF: LiveState = { status: 'off', heardAt: 0, trouble: [], events: 0 };
const never = () => () => undefined;

export function useLive(): LiveState {
  const stream = use(LiveContext);
  return useSyncExternalStore(stream?.subscribe ?? never, stream?.snapshot ?? (() => OFF));
}
