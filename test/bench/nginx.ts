import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, freePort, type Running, start } from '../support/processes.js';
import { proxyAuthority } from '../support/server.js';

export interface Nginx {
  process: Running;
  port: number;
  /** Master and worker. */
  pids: number[];
  /** ETag that nginx gives a file of `folder`. */
  etagOf(name: string): string;
}

export interface NginxOptions {
  /** What it serves, and where it writes: nobody else's. */
  folder: string;
  key: string;
  cert: string;
  /** Of the client certificates that it asks for. */
  clientCa: string;
  headers: Readonly<Record<string, string>>;
}

const BINARY = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find((each) => existsSync(each));

/** Static files from its cache of open files, one worker; asks for client certificates and does not require them. */
const configuration = ({ folder, key, cert, clientCa, headers }: NginxOptions, port: number): string => `
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2; fastcgi_temp_path ${folder}/t3;
  uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 30s; keepalive_requests 1000000000;
  types { application/json json; }
  server {
    listen 127.0.0.1:${port} ssl backlog=1024;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_client_certificate ${clientCa};
    ssl_verify_client optional;
    ssl_session_tickets on;
    ssl_session_timeout 1h;
    root ${folder}/served;
    ${Object.entries(headers)
      .map(([name, value]) => `add_header ${name} "${value}";`)
      .join(' ')}
  }
}`;

/** @throws when there is none: a figure without its baseline says nothing */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  if (BINARY === undefined)
    throw new Error('this bench measures against nginx, and there is none: apt-get install nginx-light');
  const { folder } = options;
  const port = await freePort();
  const file = path.join(folder, 'nginx.conf');
  writeFileSync(file, configuration(options, port));
  const nginx = start(BINARY, ['-c', file, '-p', folder, '-e', path.join(folder, 'error.log')]);
  const worker = await eventually('nginx has its worker', async () => {
    if (!nginx.isRunning()) throw new Error(`nginx did not start: ${nginx.output()}`);
    const children = readFileSync(`/proc/${nginx.pid}/task/${nginx.pid}/children`, 'utf8').trim();
    return children === '' ? undefined : children.split(' ').map(Number);
  });
  // As ngx_http_set_etag writes it: time of the last change and length, both hex.
  const etagOf = (name: string) => {
    const { mtimeMs, size } = statSync(path.join(folder, 'served', name));
    return `"${Math.floor(mtimeMs / 1000).toString(16)}-${size.toString(16)}"`;
  };
  return { process: nginx, port, pids: [nginx.pid, ...worker], etagOf };
}

/** A server's key and certificate for loopback, with the authority behind the leaf as Muster sends them: files in the folder. */
export function serverIdentity(folder: string): { ca: string; key: string; cert: string } {
  const { ca, key, certificate } = proxyAuthority(folder);
  const cert = path.join(folder, 'chain.pem');
  writeFileSync(cert, readFileSync(certificate, 'utf8') + readFileSync(ca, 'utf8'));
  return { ca, key, cert };
}
