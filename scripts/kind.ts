/**
 * What `make engine`, `make cluster`, `make images` and their counterparts call.
 * Each is resumable: what is there is not made again. WORKERS=N (2) sets the cluster's size; IMAGES=published, source or auto says where what
 * runs on it comes from (kind/published.ts); REGISTRY=host:port and, where nodes know it by another name, INSIDE=host:port say where `images` pushes to.
 */
import './crash.ts';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { buildAddOns, buildImages, installAddOns } from '../kind/add-ons.ts';
import { built, kindCache } from '../kind/cache.ts';
import { checkCluster } from '../kind/check.ts';
import {
  clusterNodes,
  createCluster,
  deleteCluster,
  forgetCluster,
  hostAddress,
  keepKubectl,
  kubeconfigPath,
  nodeAddress,
  removeNodes,
} from '../kind/cluster.ts';
import { interrupt } from '../kind/command.ts';
import { findEngine, ownEngine, startEngine, stopEngine } from '../kind/engine.ts';
import { goCommands } from '../kind/go-build.ts';
import { INGRESS_NODE_PORT } from '../kind/ingress.ts';
import { Kubernetes } from '../kind/kubernetes.ts';
import { lockCache } from '../kind/lock.ts';
import { nodeImage, pruneNodeImages, removeBuildContainer } from '../kind/node-image.ts';
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
import { prepareMachine } from '../kind/prerequisites.ts';
import { commandsFrom, originOf } from '../kind/published.ts';
import { registryAt, startRegistry, stopRegistry } from '../kind/registry.ts';
import { serviceImages } from '../kind/service-images.ts';
import { removeClusterState, writeClusterState } from '../kind/state.ts';
import { beginSystems } from '../kind/system-image.ts';
import { sweep } from '../kind/work-directory.ts';
import { thisMachine } from '../tools/machine.ts';
import { refuseWhileRunning } from './living-runs.ts';
import { wholePath } from './path.ts';

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
  async 'engine-down'() {
    refuseWhileRunning('make engine-down');
    const own = ownEngine();
    // Its nodes would come back with the engine, and by then nobody would know of what dead runs left on them.
    if ((await own.answers()) && (await removeNodes(own))) {
      removeClusterState();
      forgetCluster();
    }
    await stopEngine(tell);
  },
  async cluster(check = false) {
    const what = check ? 'make cluster-check' : 'make cluster';
    const origin = originOf(process.env.IMAGES);
    const workers = Number(process.env.WORKERS || 2);
    if (!Number.isInteger(workers) || workers < 0 || workers > 9)
      throw new RefusedError([
        { file: 'WORKERS', message: `"${process.env.WORKERS}": expected a number from 0 to 9` },
      ]);
    refuseWhileRunning(what);
    const engine = await findEngine();
    const upcoming = { ...PINS, ...ADD_ONS, ...SERVICES };
    await prepareMachine(engine, { systems: SYSTEMS, sources: upcoming }, tell);
    const { get, provenance } = commandsFrom(origin, { engine, tell, upcoming });
    void beginSystems(engine, SYSTEMS, tell);
    const image = await nodeImage(engine, get, tell);
    const addOns = await buildAddOns(get);
    // One may have begun on the cluster that was there, while this compiled.
    refuseWhileRunning(what);
    const beforeReplaced = () => {
      refuseWhileRunning(what);
      // From here on no run begins: what it says is there no more, or not yet again.
      removeClusterState();
    };
    await createCluster(engine, image, { workers, readyWithinSeconds: READY_WITHIN_S, beforeReplaced }, tell);
    await pruneNodeImages(engine, image.tag);
    const kubectl = keepKubectl(image.kubectl);
    const nodes = await clusterNodes(engine, image.kind);
    const registry = await startRegistry(engine, nodes, tell);
    const cluster = new Kubernetes({ kubectl, kubeconfig: kubeconfigPath() });
    const images = await installAddOns(engine, cluster, registry, addOns, tell);
    const platform = await platformImage(engine, tell);
    const addresses = nodes.map(async (name) => ({ name, address: await nodeAddress(engine, name) }));
    writeClusterState({
      kubectl,
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
    console.log(`export KUBECONFIG=${kubeconfigPath()}\n${kubectl} get nodes`);
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
    const { 'tools-system': tools, 'services-system': services } = SYSTEMS;
    const systems = { 'tools-system': tools, 'services-system': services };
    await prepareMachine(engine, { systems, sources: { ...SERVICES, kaniko: ADD_ONS.kaniko } }, tell);
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
    refuseWhileRunning('make cluster-down');
    const engine = await findEngine();
    removeClusterState();
    await removeBuildContainer(engine);
    await stopRegistry(engine);
    await deleteCluster(engine, join(await built(goCommands('kind', PINS.kind), tell), 'kind'), tell);
  },
};

const name = process.argv[2] ?? '';
const command = commands[name];
if (!command) {
  console.error(`kind: expected one of ${Object.keys(commands).join(', ')}`);
  process.exit(64);
}
// What goes into images is read by others than who made it.
process.umask(0o022);
process.env.PATH = await wholePath(thisMachine());
// The lock goes with this process, and its children are in groups of their own: a terminal that is closed must end them too.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt.abort());
let release: (() => void) | undefined;
try {
  // An engine is wanted while another command compiles.
  if (name !== 'engine') release = await lockCache(`make ${name}`, kindCache(), tell);
  await sweep(kindCache(), tell);
  await command();
} catch (error) {
  // What was begun ahead is of no use any more.
  const interrupted = interrupt.signal.aborted;
  interrupt.abort();
  if (!(error instanceof RefusedError || error instanceof HarnessError)) throw error;
  console.error(error.message);
  process.exitCode = interrupted ? 130 : error instanceof RefusedError ? 64 : 3;
} finally {
  release?.();
}
