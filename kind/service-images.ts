/** Images of the real services that the platform stands on: broker, metrics and alerts from Debian, the object store from source. */
import { join } from 'node:path';
import type { Tell } from './cache.ts';
import type { Engine } from './engine.ts';
import { type CommandImage, commandImage, commandTag, ensureImage, NOBODY } from './images.ts';
import { SERVICES, SERVICES_SYSTEM } from './pins.ts';
import type { GetCommands } from './published.ts';
import type { Registry } from './registry.ts';
import { systemImage } from './system-image.ts';

/** Names inside the cluster. */
export interface ServiceImages {
  /** RabbitMQ, Prometheus, Alertmanager. */
  services: string;
  objectStore: string;
  kubeStateMetrics: string;
}

export async function serviceImages(
  engine: Engine,
  registry: Registry,
  get: GetCommands,
  tell: Tell,
): Promise<ServiceImages> {
  const command = async (name: keyof typeof SERVICES): Promise<string> => {
    const directory = await get(name, SERVICES[name]);
    const image: CommandImage = {
      ...{ from: 'scratch', files: [join(directory, name)], user: NOBODY },
      entrypoint: [`/usr/local/bin/${name}`],
    };
    const tag = commandTag(name, image);
    await ensureImage(engine, tag, tell, () => commandImage(engine, tag, image));
    return registry.push(tag);
  };
  return {
    services: await registry.push(await systemImage(engine, 'services-system', SERVICES_SYSTEM, tell)),
    objectStore: await command('versitygw'),
    kubeStateMetrics: await command('kube-state-metrics'),
  };
}
