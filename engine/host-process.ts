/**
 * Keeps a target up for `faultline up` after that command has ended: it owns and supervises the components until
 * SIGTERM (`faultline down`), which may come while they come up. Usage: node host-process.ts <request.json>; says `ready` or the error on
 * standard output.
 */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HarnessError } from '../base/errors.ts';
import { loadGuardrails } from '../chaos/guardrails/file.ts';
import { UndoLog, undoAll } from '../chaos/undo/log.ts';
import { RUN_MARK } from '../chaos/undo/marked.ts';
import { chooseTarget } from '../targets/index.ts';
import { loadProfile } from '../targets/profile.ts';
import { HOST_STATE, type HostRequest, type HostState } from './host.ts';
import { makeWorkDirectory } from './run-directories.ts';
import { startAlertReceiver } from './webhook.ts';

// Before anything is made: what is made is undone by who made it, since nobody else knows when that is all.
const ending = new AbortController();
process.on('SIGTERM', () => ending.abort(new HarnessError('ended by `faultline down` while it came up')));
// Of an `up` that was interrupted nobody listens any more.
process.stdout.on('error', () => {});

const request = JSON.parse(readFileSync(String(process.argv[2]), 'utf8')) as HostRequest;
makeWorkDirectory(request.directory);
const undo = new UndoLog(request.directory);
undo.record('make the directory', { op: 'remove-directory', path: request.directory });
undo.record('start processes', { op: 'kill-marked', run: request.runId });
// What it calls (kubectl) is of the run as well: when it is killed, none of them must go on.
process.env[RUN_MARK] = request.runId;

try {
  await keepUp(ending.signal);
} catch (error) {
  process.exitCode = 1;
  process.stdout.write(`${(error as Error).message}\n`);
}
delete process.env[RUN_MARK];
await undoAll(request.directory);
process.exit();

/** @throws HarnessError when it does not come up; the reason of `signal` when that is aborted before it is up */
async function keepUp(signal: AbortSignal): Promise<void> {
  const target = chooseTarget({
    ...request,
    name: request.target,
    profile: loadProfile(request.profile),
    guardrails: loadGuardrails(request.guardrails),
  });
  // What Alertmanager delivers is taken and dropped: `up` has nobody to judge it.
  const receiver = await startAlertReceiver(await target.hostAddress());
  const running = await target.up({
    runId: request.runId,
    workDirectory: request.directory,
    logDirectory: join(request.directory, 'logs'),
    timeScale: request.timeScale,
    defects: request.defects,
    rules: request.rules,
    scrapeMs: request.scrapeMs,
    evaluationMs: request.evaluationMs,
    webhookUrl: receiver.url,
    longestRecoveryMs: 0,
    rights: [],
    undo,
    signal,
    onEvent: () => {},
  });
  try {
    signal.throwIfAborted();
    const state: HostState = {
      pid: process.pid,
      endpoints: running.endpoints,
      components: running.components,
    };
    writeFileSync(join(request.directory, HOST_STATE), JSON.stringify(state));
    process.stdout.write('ready\n');
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    await running.down();
  }
}
