import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * `cut`: connections are reset and refused. `hung`: they stay, new ones are taken, and nothing passes until it clears,
 * which no end is told. `slow`: each piece comes later. `deaf`: clients are heard, and what servers answer is lost.
 */
export type Weather = 'clear' | 'cut' | 'hung' | 'slow' | 'deaf';

const SLOW_MS = 400;
/** Of one connection and direction; then the sender is held up, as by a full pipe. */
const MOST_UNDER_WAY_BYTES = 1_048_576;

/** A TCP relay between parts of an installation: to one of them, or, as a balancer, to whichever is up. */
export class Link {
  private weather: Weather = 'clear';
  private slowMs = SLOW_MS;
  private readonly clients = new Set<Socket>();
  private readonly servers = new Set<Socket>();
  private changed: () => void = () => undefined;
  private change: Promise<void> = Promise.resolve();
  private turn = 0;

  private constructor(
    private readonly server: Server,
    private readonly targets: () => readonly number[],
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  /** @param targets  ports to choose from at each new connection, those that are up */
  static open(targets: () => readonly number[]): Promise<Link> {
    const server = createServer({ allowHalfOpen: true });
    const link = new Link(server, targets);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve(link));
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** @param slowMs  how much later a piece comes, in each direction */
  turnTo(weather: Weather, slowMs = SLOW_MS): void {
    this.weather = weather;
    this.slowMs = slowMs;
    this.changed();
    this.change = new Promise((resolve) => (this.changed = resolve));
    if (weather === 'cut') this.reset();
  }

  /** Every open connection is lost; new ones are taken. */
  reset(): void {
    for (const socket of [...this.clients, ...this.servers]) socket.resetAndDestroy();
  }

  /** The servers' side of every open connection ends, the clients' stays open. */
  halfClose(): void {
    for (const client of this.clients) client.end();
  }

  close(): Promise<void> {
    this.turnTo('cut');
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket): void {
    keep(client, this.clients);
    if (this.weather === 'cut') return void client.resetAndDestroy();
    const targets = this.targets();
    this.turn += 1;
    this.connect(
      client,
      targets.map((_, i) => targets[(this.turn + i) % targets.length]!),
    );
  }

  /** Nothing listens at a port of one that was just killed: the next one is tried. */
  private connect(client: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined || client.destroyed) return void client.resetAndDestroy();
    const upstream = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const retry = () => this.connect(client, others);
    upstream.once('error', retry);
    upstream.once('connect', () => {
      upstream.off('error', retry);
      keep(upstream, this.servers);
      if (client.destroyed) return void upstream.destroy();
      this.relay(client, upstream, () => true);
      this.relay(upstream, client, () => this.weather !== 'deaf');
    });
  }

  /** In order, also when the weather changes in between. */
  private relay(from: Socket, to: Socket, isHeard: () => boolean): void {
    let underWay = 0;
    let last = Promise.resolve();
    const inTurn = (act: () => void) => {
      const dueAt = this.weather === 'slow' ? Date.now() + this.slowMs : 0;
      last = last.then(() => this.pass(dueAt)).then(act);
    };
    from.on('data', (bytes) => {
      if (!isHeard()) return;
      underWay += bytes.length;
      if (underWay > MOST_UNDER_WAY_BYTES) from.pause();
      const arrived = () => {
        underWay -= bytes.length;
        if (underWay <= MOST_UNDER_WAY_BYTES) from.resume();
      };
      inTurn(() => void (to.writable ? to.write(bytes, arrived) : arrived()));
    });
    from.on('end', () => inTurn(() => void to.end()));
    from.on('close', (isBroken) => (isBroken ? to.resetAndDestroy() : inTurn(() => to.destroySoon())));
  }

  private async pass(dueAt: number): Promise<void> {
    if (dueAt > Date.now()) await sleep(dueAt - Date.now());
    while (this.weather === 'hung') await this.change;
  }
}

function keep(socket: Socket, among: Set<Socket>): void {
  socket.setNoDelay(true);
  among.add(socket);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => among.delete(socket));
}
