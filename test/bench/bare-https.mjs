// The least that node:https can do for a poll, an exchange and a transfer: what Muster's own handler is measured against. It has no
// routes, no devices and no log. Reads its settings, JSON, from the first argument; prints its port.
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:https';

const { key, cert, ca, etag, headers, folder } = JSON.parse(process.argv[2]);
const answer = Object.entries({ ...headers, etag }).flat();
/** Reads what is posted, and says that there is nothing for it. */
function answerPosted(request, response) {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    JSON.parse(Buffer.concat(parts).toString('utf8'));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"contents":[]}');
  });
}

const server = createServer(
  {
    key: readFileSync(key),
    cert: readFileSync(cert),
    ca: readFileSync(ca),
    requestCert: true,
    rejectUnauthorized: false,
  },
  (request, response) => {
    if (request.method === 'POST') return answerPosted(request, response);
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, answer).end();
    const file = `${folder}${request.url}`;
    response.writeHead(200, { 'content-length': statSync(file).size });
    createReadStream(file, { highWaterMark: 1_048_576 }).pipe(response);
  },
);
server.keepAliveTimeout = 30_000;
server.listen(0, '127.0.0.1', 1_024, () => process.stdout.write(`listening on ${server.address().port}\n`));
