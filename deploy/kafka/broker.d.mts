/** A Kafka cluster on this machine, loopback only. */
export interface LocalKafka {
  /** `host:port` of every broker. */
  brokers: string[];
  /** With `advertised`: where each broker listens for what comes through its proxy. */
  clientPorts: number[];
  pids: number[];
}

export interface StartOptions {
  /** Where the cluster keeps its data; `home` when absent. Each folder is a cluster of its own. */
  folder?: string;
  /** 1 or 3; a folder keeps the number of its first start. */
  brokers?: number;
  /** Take free ports, not 9092 and up. */
  freePorts?: boolean;
  /** More lines of `server.properties`, e.g. for refusals of the boot check. */
  properties?: Readonly<Record<string, string>>;
  /** Ports that each broker tells clients to come to, if a proxy stands before it. */
  advertised?: readonly number[];
}

/** Folder of the jars: `MUSTER_KAFKA_HOME`, or `.muster/kafka` of the checkout. */
export const home: string;
/** What is missing to start a broker, in words; `undefined` when nothing is. */
export function missing(): string | undefined;
export function fetchJars(): void;
export function startKafka(options?: StartOptions): Promise<LocalKafka>;
export function stopKafka(folder?: string): Promise<number[]>;
/** The cluster of a folder while at least one of its brokers runs. */
export function runningKafka(folder?: string): LocalKafka | undefined;
/** Kills or starts one broker of a folder, for fault tests. `node` counts from 1. */
export function killBroker(folder: string, node: number): Promise<void>;
export function startBroker(folder: string, node: number): Promise<number>;
