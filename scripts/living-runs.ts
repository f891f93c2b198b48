/** Runs, and platforms that `faultline up` keeps, on the kind cluster: what must not be taken from under them. */
import { basename } from 'node:path';
import { RefusedError } from '../base/errors.ts';
import { pendingUndos } from '../chaos/undo/log.ts';
import { ownerLives, workDirectories } from '../engine/run-directories.ts';
import { kubeconfigPath } from '../kind/cluster.ts';

/** @returns their names; of a run that died, only its reaper and `faultline clean` may still come to the cluster, and a cluster that is gone is clean */
export function livingRuns(kubeconfig = kubeconfigPath()): string[] {
  return workDirectories()
    .filter((directory) => ownerLives(directory) && isOn(kubeconfig, directory))
    .map((directory) => basename(directory));
}

/** What it will undo on a cluster says which one it is on, from before its first act there until after its last. */
const isOn = (kubeconfig: string, directory: string): boolean =>
  pendingUndos(directory).some(({ undo }) => 'kubeconfig' in undo && undo.kubeconfig === kubeconfig);

/** @param command as the user calls it @throws RefusedError naming each run, with what to do */
export function refuseWhileRunning(command: string, runs = livingRuns()): void {
  if (runs.length === 0) return;
  throw new RefusedError(
    runs.map((run) => ({
      file: `run ${run}`,
      message: `is on the cluster, which \`${command}\` would change under it: ${
        run === 'up' ? 'end it with `faultline down`' : 'wait until it has ended, or end it with Ctrl-C'
      }, then try again`,
    })),
  );
}
