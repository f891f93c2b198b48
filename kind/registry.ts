/**
 * The cluster's image registry: a container beside the nodes, which pull from it under one name and to which the host pushes
 * under another. It lives and goes with the cluster; its images stay in a volume of the engine, so that a second cluster
 * finds them.
 */
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import type { Tell } from './cache.ts';
import { CLUSTER } from './cluster.ts';
import type { Engine } from './engine.ts';
import { type CommandImage, commandImage, commandTag, ensureImage } from './images.ts';
import { REGISTRY_SYSTEM } from './pins.ts';
import { systemImage } from './system-image.ts';

/** Its host name for nodes and pods, and the engine's name of it. */
export const REGISTRY_HOST = `${CLUSTER}-registry`;
const NAME = REGISTRY_HOST;
const PORT = 5000;
const VOLUME = NAME;

/** What images are called inside the cluster: `${REGISTRY}/name:tag`. Nodes and pods resolve the name by the engine's DNS. */
export const REGISTRY = `${NAME}:${PORT}`;

export interface Registry {
  /** Where the host reaches it: 127.0.0.1:port. */
  address: string;
  /** Pushes an image of the engine, `faultline.dev/name:tag`. @returns its name inside the cluster */
  push(tag: string): Promise<string>;
}

/** Starts it, one of another image anew, and tells the nodes that it speaks plain HTTP. Does nothing that is done. */
export async function startRegistry(engine: Engine, nodes: string[], tell: Tell): Promise<Registry> {
  const image = await registryImage(engine, tell);
  const named = ['--filter', `name=^${NAME}$`, '--format', '{{.State}} {{.Image}}'];
  const found = (await engine.docker(['ps', '--all', ...named])).trim();
  const isCurrent = found === `running ${image}`;
  if (found !== '' && !isCurrent) await engine.docker(['rm', '--force', NAME]);
  if (!isCurrent)
    await engine.docker([
      ...['run', '--detach', '--name', NAME, '--network', 'kind', '--publish', `127.0.0.1::${PORT}`],
      ...['--volume', `${VOLUME}:/var/lib/registry`, image],
    ]);
  for (const node of nodes)
    await engine.docker([
      ...['exec', node, 'sh', '-euc'],
      `mkdir -p "/etc/containerd/certs.d/${REGISTRY}"; printf '[host."http://${REGISTRY}"]\\n' >"/etc/containerd/certs.d/${REGISTRY}/hosts.toml"`,
    ]);
  const published = await engine.docker(['port', NAME, `${PORT}/tcp`]);
  const address = /127\.0\.0\.1:\d+/.exec(published)?.[0];
  if (!address) throw new HarnessError(`the registry ${NAME} has no port on this host: ${published.trim()}`);
  return registryAt(engine, address, REGISTRY);
}

/** @param address where the host reaches it @param inside what its images are called inside a cluster; each `host:port`, or with a path */
export function registryAt(engine: Engine, address: string, inside: string): Registry {
  return {
    address,
    async push(tag) {
      const name = tag.replace(/^faultline\.dev\//, '');
      await engine.docker(['tag', tag, `${address}/${name}`]);
      await engine.docker(['push', '--quiet', `${address}/${name}`]);
      await engine.docker(['rmi', `${address}/${name}`]);
      return `${inside}/${name}`;
    },
  };
}

async function registryImage(engine: Engine, tell: Tell): Promise<string> {
  const from = await systemImage(engine, 'registry-system', REGISTRY_SYSTEM, tell);
  const config = join(import.meta.dirname, 'images/registry.yml');
  const image: CommandImage = {
    ...{ from, files: [config], directory: '/etc/faultline' },
    entrypoint: ['docker-registry', 'serve', '/etc/faultline/registry.yml'],
  };
  const tag = commandTag('registry', image);
  await ensureImage(engine, tag, tell, () => commandImage(engine, tag, image));
  return tag;
}

/** Ends it; its volume stays. Does nothing where there is none. */
export async function stopRegistry(engine: Engine): Promise<void> {
  const there = await engine.docker(['ps', '--all', '--quiet', '--filter', `name=^${NAME}$`]);
  if (there.trim() !== '') await engine.docker(['rm', '--force', NAME]);
}
