import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';

/** Whom to poll, and as whom: one context a device, as each has a certificate of its own; one without for anyone. */
export interface Target {
  port: number;
  path: string;
  etag: string;
  contexts: readonly SecureContext[];
}

export interface ClientIdentity {
  certificate: string;
  key: string;
}

/** @param ca PEM. @param devices none for polls that nobody is known to make */
export const contextsFor = (ca: string, devices: readonly ClientIdentity[]): SecureContext[] =>
  devices.length === 0
    ? [createSecureContext({ ca, minVersion: 'TLSv1.3' })]
    : devices.map(({ certificate, key }) => createSecureContext({ ca, cert: certificate, key, minVersion: 'TLSv1.3' }));

const requestOf = ({ path, etag }: Target, ...more: string[]): Buffer =>
  Buffer.from(
    [
      `GET ${path} HTTP/1.1`,
      'host: localhost',
      `if-none-match: ${etag}`,
      'muster-trigger: floor;v=1',
      ...more,
      '',
      '',
    ].join('\r\n'),
  );

const open = ({ port, contexts }: Target, i: number, session?: Buffer): TLSSocket =>
  connect({
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    secureContext: contexts[i % contexts.length],
    ...(session === undefined ? {} : { session }),
  });

/** Anything but the whole head of a 304 is a failure. */
function failureOf(answer: Buffer): Error | undefined {
  const text = answer.toString('latin1');
  return text.startsWith('HTTP/1.1 304 ') && text.endsWith('\r\n\r\n') ? undefined : new Error(`no 304: ${text}`);
}

/** Connections that are kept: each asks again as soon as it is answered. */
export class KeptConnections {
  private constructor(
    private readonly sockets: readonly TLSSocket[],
    private readonly request: Buffer,
  ) {}

  /** Each polls once at once: a server waits some seconds for a first request, and longer for a next one. */
  static async open(target: Target, count: number): Promise<KeptConnections> {
    const request = requestOf(target);
    const sockets: TLSSocket[] = [];
    const line = async () => {
      while (sockets.length < count) {
        const socket = open(target, sockets.length);
        sockets.push(socket);
        await new Promise<void>((resolve, reject) => {
          socket.once('secureConnect', () => socket.write(request)).once('data', () => resolve());
          socket.once('error', reject);
        });
      }
    };
    await Promise.all(Array.from({ length: 16 }, line));
    return new KeptConnections(sockets, request);
  }

  /** @returns how many polls were answered 304: all */
  async poll(total: number): Promise<number> {
    let asked = 0;
    let answered = 0;
    const one = (socket: TLSSocket): Promise<void> =>
      new Promise((resolve, reject) => {
        const next = () => {
          if (asked >= total) return finish();
          asked += 1;
          socket.write(this.request);
        };
        const hear = (answer: Buffer) => {
          const failure = failureOf(answer);
          if (failure !== undefined) return finish(failure);
          answered += 1;
          next();
        };
        const closed = () => finish(new Error('a kept connection was closed'));
        const finish = (error?: Error) => {
          socket.off('data', hear).off('close', closed);
          if (error === undefined) resolve();
          else reject(error);
        };
        socket.on('data', hear).on('close', closed);
        next();
      });
    await Promise.all(this.sockets.map(one));
    return answered;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
  }
}

/** A new connection each poll, so many at a time. With sessions, each resumes the one of its device. */
export async function pollAnew(
  target: Target,
  { total, atOnce, sessions }: { total: number; atOnce: number; sessions?: readonly Buffer[] },
): Promise<number> {
  const request = requestOf(target, 'connection: close');
  let begun = 0;
  let answered = 0;
  const line = async () => {
    while (begun < total) {
      const i = begun;
      begun += 1;
      const session = sessions?.[i % sessions.length];
      await pollOnce(open(target, i, session), request, session !== undefined);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, line));
  return answered;
}

function pollOnce(socket: TLSSocket, request: Buffer, isResumed: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    socket.on('secureConnect', () => {
      if (socket.isSessionReused() !== isResumed) socket.destroy(new Error(`resumed: ${socket.isSessionReused()}`));
      else socket.write(request);
    });
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('error', reject);
    socket.on('close', () => {
      const failure = failureOf(Buffer.concat(parts));
      if (failure === undefined) resolve();
      else reject(failure);
    });
  });
}

/** The ticket of a full handshake, one a device: it may be used again until it expires. */
export const sessionsOf = (target: Target): Promise<Buffer[]> =>
  Promise.all(
    target.contexts.map(
      (_, i) =>
        new Promise<Buffer>((resolve, reject) => {
          const socket = open(target, i);
          let session: Buffer | undefined;
          socket.on('session', (each: Buffer) => (session = each));
          socket.on('secureConnect', () => socket.write(requestOf(target, 'connection: close')));
          socket.on('data', () => undefined);
          socket.on('error', reject);
          socket.on('close', () => (session === undefined ? reject(new Error('no ticket')) : resolve(session)));
        }),
    ),
  );
