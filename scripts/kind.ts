/**
 * What `make engine`, `make cluster`, `make images` and their counterparts call.
 * Each is resumable: what is there is not made again. WORKERS=N (2) sets the cluster's size; IMAGES=published, source or auto says where what
 * runs on it comes from (kind/published.ts); REGISTRY=host:port and, where nodes know it by another name, INSIDE=host:port say where `images` pushes to.
 */
import { join } from 'node:path';
import { stringify } from 'yaml';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { buildAddOns, buildImages, installAddOns } from '../kind/add-ons.ts';
import { built } from '../kind/cache.ts';
import { checkCluster } from '../kind/check.ts';
import {
  clusterNodes,
  createCluster,
  deleteCluster,
  hostAddress,
  kubeconfigPath,
  nodeAddress,
} from '../kind/cluster.ts';
import { interrupt } from '../kind/command.ts';
import { findEngine, startEngine, stopEngine } from '../kind/engine.ts';
import { goCommands } from '../kind/go-build.ts';
import { INGRESS_NODE_PORT } from '../kind/ingress.ts';
import { Kubernetes } from '../kind/kubernetes.ts';
import { nodeImage } from '../kind/node-image.ts';
import {
  ADD_ONS,
  CHAOS_DAEMON_SYSTEM,
  NODE_SYSTEM,
  PINS,
  REGISTRY_SYSTEM,
  SERVICES,
  SERVICES_SYSTEM,
  TOOLS_SYSTEM,
} from '../kind/pins.ts';
import { platformImage } from '../kind/platform-image.ts';
import { commandsFrom, originOf } from '../kind/published.ts';
import { registryAt, startRegistry, stopRegistry } from '../kind/registry.ts';
import { serviceImages } from '../kind/service-images.ts';
import { removeClusterState, writeClusterState } from '../kind/state.ts';
import { beginSystems } from '../kind/system-image.ts';

const READY_WITHIN_S = 180;
/** In the order in which they are wanted. */
const SYSTEMS = {
  'node-system': NODE_SYSTEM,
  'tools-system': TOOLS_SYSTEM,
  'registry-system': REGISTRY_SYSTEM,
  'chaos-daemon-system': CHAOS_DAEMON_SYSTEM,
  'services-system': SERVICES_SYSTEM,
};
/** What comes from Debian's packages, however the rest is had. */
const FROM_DEBIAN = {
  nodes: `Debian ${NODE_SYSTEM.suite} packages`,
  services: `Debian ${SERVICES_SYSTEM.suite} packages`,
};
const tell = (line: string) => process.stderr.write(`${line}\n`);

const commands: Record<string, (check?: boolean) => Promise<void>> = {
  async engine() {
    const engine = await startEngine(tell);
    console.log(`container engine: ${engine.host ?? 'the one that was here'}`);
  },
  'engine-down': () => stopEngine(tell),
  async cluster(check = false) {
    const origin = originOf(process.env.IMAGES);
    const engine = await findEngine();
    const workers = Number(process.env.WORKERS || 2);
    if (!Number.isInteger(workers) || workers < 0 || workers > 9)
      throw new RefusedError([
        { file: 'WORKERS', message: `"${process.env.WORKERS}": expected a number from 0 to 9` },
      ]);
    const upcoming = { ...PINS, ...ADD_ONS, ...SERVICES };
    const { get, provenance } = commandsFrom(origin, { engine, tell, upcoming });
    void beginSystems(engine, SYSTEMS, tell);
    const image = await nodeImage(engine, get, tell);
    const addOns = await buildAddOns(get, tell);
    await createCluster(engine, image, { workers, readyWithinSeconds: READY_WITHIN_S }, tell);
    const nodes = await clusterNodes(engine, image.kind);
    const registry = await startRegistry(engine, nodes, tell);
    const cluster = new Kubernetes({ kubectl: image.kubectl, kubeconfig: kubeconfigPath() });
    const images = await installAddOns(engine, cluster, registry, addOns, tell);
    const platform = await platformImage(engine, tell);
    const addresses = nodes.map(async (name) => ({ name, address: await nodeAddress(engine, name) }));
    writeClusterState({
      kubectl: image.kubectl,
      ...(engine.host === undefined ? {} : { engine: engine.host }),
      nodes: await Promise.all(addresses),
      hostAddress: await hostAddress(engine),
      registry: registry.address,
      platformTag: platform,
      images: {
        ...images,
        ...(await serviceImages(engine, registry, get, tell)),
        platform: await registry.push(platform),
      },
      provenance: { ...provenance, ...FROM_DEBIAN },
    });
    if (check) {
      const ingress = `http://${await nodeAddress(engine, nodes[0] as string)}:${INGRESS_NODE_PORT}`;
      await checkCluster(cluster, ingress, images, tell);
    }
    console.log(`export KUBECONFIG=${kubeconfigPath()}\n${image.kubectl} get nodes`);
  },
  async images() {
    const { REGISTRY: here, INSIDE: inside = here } = process.env;
    if (!here || !inside)
      throw new RefusedError([
        {
          file: 'REGISTRY',
          message: 'expected host:port of a registry, as in make images REGISTRY=10.0.0.9:5000',
        },
      ]);
    const origin = originOf(process.env.IMAGES);
    const engine = await findEngine();
    const registry = registryAt(engine, here, inside);
    const { get } = commandsFrom(origin, { engine, tell });
    const images = {
      ...(await serviceImages(engine, registry, get, tell)),
      ...(await buildImages(engine, registry, await get('kaniko', ADD_ONS.kaniko), tell)),
      platform: await registry.push(await platformImage(engine, tell)),
    };
    // As the description of a cluster has it.
    console.log(stringify({ images }));
  },
  'cluster-check': () => commands.cluster?.(true) as Promise<void>,
  async 'cluster-down'() {
    const engine = await findEngine();
    removeClusterState();
    await stopRegistry(engine);
    await deleteCluster(engine, join(await built(goCommands('kind', PINS.kind), tell), 'kind'), tell);
  },
};

const command = commands[process.argv[2] ?? ''];
if (!command) {
  console.error(`kind: expected one of ${Object.keys(commands).join(', ')}`);
  process.exit(64);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
try {
  await command();
} catch (error) {
  if (!(error instanceof RefusedError || error instanceof HarnessError)) throw error;
  console.error(error.message);
  // What was begun ahead is of no use any more.
  const interrupted = interrupt.signal.aborted;
  interrupt.abort();
  process.exitCode = interrupted ? 130 : error instanceof RefusedError ? 64 : 3;
}
