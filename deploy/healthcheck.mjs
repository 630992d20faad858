// Exit 0 when the server on this machine is ready, for containers; with `--live` when it answers at all, for systemd, where a start
// that fails is begun again: a disk that is low makes it unready, and no restart mends that. `--wait 60` looks until it is so, that many
// seconds. Takes MUSTER_HOST and MUSTER_PORT as the server does; beyond loopback it speaks TLS there, under a CA of its own.
import { request as http } from 'node:http';
import { request as https } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { wait, live } = parseArgs({
  options: { wait: { type: 'string', default: '0' }, live: { type: 'boolean' } },
}).values;
const { MUSTER_HOST: host = '127.0.0.1', MUSTER_PORT: port = '8080' } = process.env;
const isLoopback = /^(localhost|::1|127(\.\d{1,3}){3})$/.test(host);
const near = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
// Whether it is the right server is not asked here: nothing is told to it, and it is on this machine.
const options = { host: near, port, path: live ? '/livez' : '/readyz', timeout: 3_000, rejectUnauthorized: false };

const look = () =>
  new Promise((resolve) => {
    const asked = (isLoopback ? http : https)(options, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ isWell: answer.statusCode === 200, said: text }));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in 3 s')));
    asked.on('error', (error) => resolve({ isWell: false, said: error.message }));
    asked.end();
  });

const deadline = Date.now() + Number(wait) * 1_000;
let last = await look();
while (!last.isWell && Date.now() < deadline) {
  await sleep(250);
  last = await look();
}
if (!last.isWell) {
  process.stderr.write(`${live ? 'not there' : 'not ready'}: ${last.said}\n`);
  process.exit(1);
}
