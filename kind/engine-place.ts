/** Whether an engine's containers and this host reach each other: the nodes' own addresses are used, and faults reach into the nodes. */
import { createServer } from 'node:net';
import { HarnessError } from '../base/errors.ts';
import type { Engine } from './engine.ts';

const GATEWAYS = '{{range .IPAM.Config}}{{.Gateway}} {{end}}';
const FACTS = '{{json .SecurityOptions}} {{.OperatingSystem}}';

/**
 * Why a cluster can not be used on an engine that answers; undefined: it can. What is listened on for the cluster stands at the gateway of the
 * engine's network, so that must be an address of this host.
 */
export async function unusable(engine: Engine): Promise<string | undefined> {
  const facts = await engine.docker(['info', '--format', FACTS]);
  if (/name=rootless/.test(facts))
    return 'the engine that answers is rootless: its networks are not those of this host';
  if (/Docker Desktop/i.test(facts))
    return 'the engine that answers is that of Docker Desktop, in a machine of its own: this host does not reach its networks';
  const remote = hostOf(await endpointOf(engine));
  if (remote !== undefined && !(await isHere(remote)))
    return `the engine that answers is that of ${remote}, and not of this host (DOCKER_HOST, docker context)`;
  for (const network of ['kind', 'bridge']) {
    const gateway = await gatewayOf(engine, network);
    if (gateway === undefined) continue;
    if (await isHere(gateway)) return undefined;
    return `the engine that answers has its network ${network} elsewhere: ${gateway}, by which it reaches its host, is no address of this one`;
  }
  // It has neither yet.
  return undefined;
}

/** IPv4; undefined where there is no such network, or it does not say. */
export async function gatewayOf(engine: Engine, network: string): Promise<string | undefined> {
  const said = await unlessFails(engine.docker(['network', 'inspect', '--format', GATEWAYS, network]));
  return said?.split(/\s+/).find((each) => /^\d+(\.\d+){3}$/.test(each));
}

/** As the client has it, whether by the environment or by its context; undefined where it is too old to tell. */
function endpointOf(engine: Engine): Promise<string | undefined> {
  if (engine.host !== undefined) return Promise.resolve(engine.host);
  return unlessFails(engine.docker(['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}']));
}

/** Of tcp:// and ssh://; a socket is a file here. */
function hostOf(endpoint = ''): string | undefined {
  const text = endpoint.trim();
  if (!/^(tcp|ssh|https?):/.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text).hostname.replace(/^\[|\]$/g, '') || undefined;
}

async function unlessFails(answer: Promise<string>): Promise<string | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof HarnessError) return undefined;
    throw error;
  }
}

/** Whether it is an address of this host, also of a bridge to which nothing is connected: tried as it will be used. */
function isHere(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(0, host, () => server.close(() => resolve(true)));
  });
}
