/**
 * What `make engine`, `make cluster` and their counterparts call: `engine`, `engine-down`, `cluster`, `cluster-down`.
 * Each is resumable, and quiet about what is there. WORKERS=N (2) sets the cluster's size.
 */
import { join } from 'node:path';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { built } from '../kind/cache.ts';
import { createCluster, deleteCluster, kubeconfigPath } from '../kind/cluster.ts';
import { interrupt } from '../kind/command.ts';
import { findEngine, startEngine, stopEngine } from '../kind/engine.ts';
import { goCommands } from '../kind/go-build.ts';
import { nodeImage } from '../kind/node-image.ts';
import { PINS } from '../kind/pins.ts';

const READY_WITHIN_S = 180;
const tell = (line: string) => process.stderr.write(`${line}\n`);

const commands: Record<string, () => Promise<void>> = {
  async engine() {
    const engine = await startEngine(tell);
    console.log(`container engine: ${engine.host ?? 'the one that was here'}`);
  },
  'engine-down': () => stopEngine(tell),
  async cluster() {
    const engine = await findEngine();
    const workers = Number(process.env.WORKERS || 2);
    if (!Number.isInteger(workers) || workers < 0 || workers > 9)
      throw new RefusedError([
        { file: 'WORKERS', message: `"${process.env.WORKERS}": expected a number from 0 to 9` },
      ]);
    const image = await nodeImage(engine, tell);
    await createCluster(engine, image, { workers, readyWithinSeconds: READY_WITHIN_S }, tell);
    console.log(`export KUBECONFIG=${kubeconfigPath()}\n${image.kubectl} get nodes`);
  },
  async 'cluster-down'() {
    const engine = await findEngine();
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
  process.exitCode = interrupt.signal.aborted ? 130 : error instanceof RefusedError ? 64 : 3;
}
