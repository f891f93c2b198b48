/**
 * Keeps a target up for `faultline up` after that command has ended: it owns and supervises the components until
 * SIGTERM (`faultline down`). Usage: node host-process.ts <request.json>; says `ready` or the error on standard output.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGuardrails } from '../chaos/guardrails/file.ts';
import { UndoLog, undoAll } from '../chaos/undo/log.ts';
import { chooseTarget } from '../targets/index.ts';
import { loadProfile } from '../targets/profile.ts';
import { HOST_STATE, type HostRequest, type HostState } from './host.ts';
import { makeWorkDirectory } from './run-directories.ts';
import { startAlertReceiver } from './webhook.ts';

const request = JSON.parse(readFileSync(String(process.argv[2]), 'utf8')) as HostRequest;
makeWorkDirectory(request.directory);
const undo = new UndoLog(request.directory);
undo.record('make the directory', { op: 'remove-directory', path: request.directory });
undo.record('start processes', { op: 'kill-marked', run: request.runId });

try {
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
    signal: new AbortController().signal,
    onEvent: () => {},
  });
  const down = async () => {
    await running.down();
    await undoAll(request.directory);
    process.exit(0);
  };
  process.on('SIGTERM', () => void down());
  const state: HostState = { pid: process.pid, endpoints: running.endpoints, components: running.components };
  writeFileSync(join(request.directory, HOST_STATE), JSON.stringify(state));
  process.stdout.write('ready\n');
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`);
  await undoAll(request.directory);
  process.exit(1);
}
