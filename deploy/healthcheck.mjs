// Exit 0 when the server on this machine is ready: for systemd (`--wait 60` looks until it is, so many seconds) and for containers.
// Takes MUSTER_HOST and MUSTER_PORT as the server does; beyond loopback it speaks TLS there, under a CA of its own.
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const { MUSTER_HOST: host = '127.0.0.1', MUSTER_PORT: port = '8080' } = process.env;
const isLoopback = /^(localhost|::1|127(\.\d{1,3}){3})$/.test(host);
const near = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
// Whether it is the right server is not asked here: nothing is told to it, and it is on this machine.
const options = { host: near, port, path: '/readyz', timeout: 3_000, rejectUnauthorized: false };

const look = () =>
  new Promise((resolve) => {
    const asked = (isLoopback ? http : https)(options, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ isReady: answer.statusCode === 200, said: text }));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in 3 s')));
    asked.on('error', (error) => resolve({ isReady: false, said: error.message }));
    asked.end();
  });

const waitSeconds = process.argv[2] === '--wait' ? Number(process.argv[3]) : 0;
const deadline = Date.now() + waitSeconds * 1_000;
let last = await look();
while (!last.isReady && Date.now() < deadline) {
  await sleep(250);
  last = await look();
}
if (!last.isReady) {
  process.stderr.write(`not ready: ${last.said}\n`);
  process.exit(1);
}
