import { createRequire } from 'node:module';
import type { Kafka } from 'kafkajs';

/** What we use of kafkajs 2.2.4 that its types do not show. The version is pinned, and its last release was in 2023. */
export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Record<string, number[]>;
  findBroker(at: { nodeId: string }): Promise<Broker>;
  fetchTopicsOffset(
    topics: readonly { topic: string; partitions: { partition: number }[]; fromBeginning: boolean }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>;
}

export interface Broker {
  fetch(request: {
    isolationLevel: number;
    maxWaitTime: number;
    minBytes: number;
    maxBytes: number;
    topics: { topic: string; partitions: { partition: number; fetchOffset: string; maxBytes: number }[] }[];
  }): Promise<{ responses: { topicName: string; partitions: { partition: number; messages: Message[] }[] }[] }>;
}

export interface Message {
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | Buffer[]>;
  isControlRecord: boolean;
}

/** High watermark, not last stable offset: no producer of ours has transactions, and a foreign one must not hold us up. */
export const READ_UNCOMMITTED = 0;

type OpenCluster = (options: {
  metadataMaxAge: number;
  allowAutoTopicCreation: boolean;
  isolationLevel: number;
}) => Cluster;

/** Connections for reading by offset. kafkajs itself reads so below its consumer groups, which the log does not use. */
export function openCluster(kafka: Kafka): Cluster {
  const name = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  if (name === undefined) throw new Error('this kafkajs is not 2.2.4');
  const open = (kafka as unknown as Record<symbol, OpenCluster>)[name];
  if (open === undefined) throw new Error('this kafkajs is not 2.2.4');
  return open({ metadataMaxAge: 60_000, allowAutoTopicCreation: false, isolationLevel: READ_UNCOMMITTED });
}

interface RequestQueue {
  throttledUntil: number;
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
}

const require = createRequire(import.meta.url);
const queue = (require('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }).prototype;
const original = Object.getOwnPropertyDescriptor(queue, 'scheduleCheckPendingRequests')?.value as () => void;

/**
 * In 2.2.4 each connection that has had an answer arms a timer with a negative delay again and again: 1 ms for ever, some
 * 4 % of a core a connection (tulios/kafkajs#1751). Nothing is lost by not arming it when nothing is pending: a request
 * that has to wait comes by `push`, which arms it.
 */
export function stopIdleTimer(): void {
  queue.scheduleCheckPendingRequests = function (this: RequestQueue): void {
    if (this.pending.length > 0) original.call(this);
  };
}

/** For the test that shows what the patch is for. */
export function restoreIdleTimer(): void {
  queue.scheduleCheckPendingRequests = original;
}

interface Connection {
  socket: { destroy(error: unknown): void };
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<true>;
  processData(data: Buffer): void;
}

const connection = (require('kafkajs/src/network/connection') as { prototype: Connection }).prototype;
const connectAgain = Object.getOwnPropertyDescriptor(connection, 'connect')?.value as Connection['connect'];
const connecting = new WeakMap<Connection, Promise<true>>();

/** Of an answer, before its body. */
const LENGTH_BYTES = 4;

/**
 * In 2.2.4 two requests at once on a connection that is not up yet open a socket each (`network/connection.js`), and the
 * first is forgotten: nothing ever closes it, and it keeps the process from ending. Here both wait for one. And what a
 * lost socket had brought of an answer stays, so that nothing on the next one is understood, for ever; here it is dropped.
 */
export function connectOnce(): void {
  connection.connect = function (this: Connection): Promise<true> {
    const begun = connecting.get(this) ?? begin(this).finally(() => connecting.delete(this));
    connecting.set(this, begun);
    return begun;
  };
}

function begin(it: Connection): Promise<true> {
  if (!it.isConnected()) Object.assign(it, { chunks: [], bytesBuffered: 0, bytesNeeded: LENGTH_BYTES });
  return connectAgain.call(it);
}

const processData = Object.getOwnPropertyDescriptor(connection, 'processData')?.value as Connection['processData'];
/** Answers hold a MiB of records at most, or the metadata of some hundred partitions. */
const LONGEST_ANSWER_BYTES = 67_108_864;

/**
 * 2.2.4 decodes the frame of an answer within the socket's event: what is no frame throws there, and that ends the
 * process; and one that promises two gigabytes is waited for. Here it costs that connection alone.
 */
export function refuseBrokenFrames(): void {
  connection.processData = function (this: Connection, data: Buffer): void {
    try {
      processData.call(this, data);
      if (this.bytesNeeded > LONGEST_ANSWER_BYTES) throw new RangeError(`an answer of ${this.bytesNeeded} bytes`);
    } catch (error) {
      this.socket.destroy(error);
    }
  };
}
