import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * `cut`: connections are reset and refused. `hung`: they stay, new ones are taken, and nothing passes until it clears,
 * which no end is told. `slow`: each piece takes its time.
 */
export type Weather = 'clear' | 'cut' | 'hung' | 'slow';

const SLOW_MS = 400;

/** A TCP relay between parts of an installation: to one of them, or, as a balancer, to whichever is up. */
export class Link {
  private weather: Weather = 'clear';
  private readonly sockets = new Set<Socket>();
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

  turnTo(weather: Weather): void {
    this.weather = weather;
    this.changed();
    this.change = new Promise((resolve) => (this.changed = resolve));
    if (weather === 'cut') for (const socket of this.sockets) socket.resetAndDestroy();
  }

  close(): Promise<void> {
    this.turnTo('cut');
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private accept(client: Socket): void {
    this.keep(client);
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
      this.keep(upstream);
      if (client.destroyed) return void upstream.destroy();
      this.relay(client, upstream);
      this.relay(upstream, client);
    });
  }

  private keep(socket: Socket): void {
    socket.setNoDelay(true);
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }

  private relay(from: Socket, to: Socket): void {
    from.on('data', (bytes) => {
      from.pause();
      void this.pass().then(() => {
        if (to.destroyed || to.write(bytes)) from.resume();
        else to.once('drain', () => from.resume());
      });
    });
    from.on('end', () => void this.pass().then(() => to.end()));
    from.on('close', (isBroken) => (isBroken ? to.resetAndDestroy() : to.destroySoon()));
  }

  private async pass(): Promise<void> {
    if (this.weather === 'slow') await sleep(SLOW_MS);
    while (this.weather === 'hung') await this.change;
  }
}
