/**
 * A reverse proxy before the registry that can throttle as Amazon ECR does. Always in the path, so that switching the
 * fault on changes nothing but the limit. Environment: LISTEN_HOST (127.0.0.1), LISTEN_PORT,
 * UPSTREAM (host:port), CONTROL_PORT.
 * Control (127.0.0.1 only): PUT / {"ratePerSecond","burst"}, {"refuseOneIn"} or {"gone":true}, DELETE /, GET / -> {"throttled"}:
 * refused so far, the probe's own left out.
 */
import { Agent, createServer, request } from 'node:http';
import type { RegistryLimit } from '../drivers.ts';
import { PROBE_HEADER } from './client.ts';
import { RefusedShare } from './refused-share.ts';
import { TokenBucket } from './token-bucket.ts';

const [upstreamHost, upstreamPort] = String(process.env.UPSTREAM).split(':') as [string, string];
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
/** Source of status, code and text: ECR's answer to docker push over its limits ("toomanyrequests: Rate exceeded"). */
const BODY = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'Rate exceeded' }] });
type Limit = TokenBucket | RefusedShare;
let limit: Limit | undefined;
/** Of the probe, which must neither take the platform's share nor be seen by it: as much, on its own. */
let probeLimit: Limit | undefined;
let gone = false;
let throttled = 0;

const proxy = createServer((incoming, outgoing) => {
  if (gone) {
    incoming.socket.destroy();
    return;
  }
  const isProbe = incoming.headers[PROBE_HEADER] !== undefined;
  const mine = isProbe ? probeLimit : limit;
  if (mine && !mine.take(performance.now())) {
    if (!isProbe) throttled++;
    // The body of a refused upload is read and dropped: closing early would look like a network fault.
    incoming.resume();
    outgoing
      .writeHead(429, {
        'content-type': 'application/json',
        'docker-distribution-api-version': 'registry/2.0',
      })
      .end(BODY);
    return;
  }
  const upstream = request(
    {
      host: upstreamHost,
      port: upstreamPort,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
      agent,
    },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders as never);
      answer.pipe(outgoing);
    },
  );
  upstream.on('error', () => {
    if (!outgoing.headersSent) outgoing.writeHead(502);
    outgoing.end();
  });
  incoming.pipe(upstream);
});

const control = createServer((incoming, outgoing) => {
  let text = '';
  incoming.on('data', (chunk) => (text += chunk));
  incoming.on('end', () => {
    if (incoming.method === 'PUT') {
      const wanted = JSON.parse(text) as RegistryLimit | { gone: true };
      if ('gone' in wanted) gone = true;
      else [limit, probeLimit] = [limitOf(wanted), limitOf(wanted)];
    } else if (incoming.method === 'DELETE') {
      limit = undefined;
      probeLimit = undefined;
      gone = false;
    }
    outgoing.end(JSON.stringify({ throttled }));
  });
});

function limitOf(wanted: RegistryLimit): Limit {
  return 'refuseOneIn' in wanted
    ? new RefusedShare(wanted.refuseOneIn)
    : new TokenBucket(wanted.ratePerSecond, wanted.burst, performance.now());
}

proxy.listen(Number(process.env.LISTEN_PORT), process.env.LISTEN_HOST ?? '127.0.0.1');
control.listen(Number(process.env.CONTROL_PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
