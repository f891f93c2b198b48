import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pendingUndos, tryUndo, UNDO_LOG, UndoLog, undoAll } from './log.ts';
import { killMarked, markedProcesses, RUN_MARK } from './marked.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'faultline-undo-'));
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

const directory = (name: string) => {
  const path = join(work, name);
  mkdirSync(path);
  return path;
};

/** A way to a cluster that is said to be there; of Faultline's own, or of the user's. */
function reached(kubectl: string, madeHere?: boolean) {
  const kubeconfig = join(work, 'kubeconfig');
  writeFileSync(kubeconfig, 'clusters:\n- cluster:\n    server: https://a:6443\n');
  return { kubectl, kubeconfig, ...(madeHere ? { madeHere } : {}) };
}

describe('UndoLog', () => {
  it('keeps what is not done, the latest act first', () => {
    const log = new UndoLog(work);
    const first = log.record('a', { op: 'remove-directory', path: '/a' });
    log.record('b', { op: 'remove-directory', path: '/b' });
    log.record('c', { op: 'remove-directory', path: '/c' });
    log.done(first);
    log.close();
    expect(pendingUndos(work).map((p) => p.act)).toEqual(['c', 'b']);
  });

  it('reads a log whose last line is torn', () => {
    const log = new UndoLog(work);
    log.record('a', { op: 'remove-directory', path: '/a' });
    log.close();
    appendFileSync(join(work, UNDO_LOG), '{"id":2,"act":"b","un');
    expect(pendingUndos(work).map((p) => p.act)).toEqual(['a']);
  });

  it('carries out every undo', async () => {
    const [one, two] = [directory('one'), directory('two')];
    const log = new UndoLog(work);
    log.record('one', { op: 'remove-directory', path: one });
    log.record('two', { op: 'remove-directory', path: two });
    log.close();
    expect(await undoAll(work)).toEqual([]);
    expect([existsSync(one), existsSync(two)]).toEqual([false, false]);
  });
});

describe('an undo that fails', () => {
  it('stays in the log with all that it needs, and is tried again', async () => {
    const one = directory('one');
    const kubectl = join(work, 'kubectl');
    writeFileSync(kubectl, '#!/bin/sh\necho "connection refused" >&2\nexit 1\n', { mode: 0o755 });
    const log = new UndoLog(work);
    log.record('make the work directory', { op: 'remove-directory', path: work });
    log.record('one', { op: 'remove-directory', path: one });
    log.record('fault dns-gone', {
      op: 'scale-object',
      ...reached(kubectl),
      object: 'deployment/a',
      replicas: 2,
    });
    log.close();
    expect(await undoAll(work)).toEqual([expect.stringMatching(/^fault dns-gone: .*connection refused/s)]);
    expect(existsSync(one)).toBe(false);
    expect(pendingUndos(work).map((p) => p.act)).toEqual(['fault dns-gone', 'make the work directory']);
    writeFileSync(kubectl, '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    expect(await undoAll(work)).toEqual([]);
    expect(existsSync(work)).toBe(false);
  });

  it('waits while the cluster is another run’s, and has nothing to do on one that is gone', async () => {
    const kubectl = join(work, 'kubectl');
    const asked = join(work, 'asked');
    writeFileSync(kubectl, `#!/bin/sh\necho "$*" >>${asked}\necho lab/theirs\n`, { mode: 0o755 });
    const way = reached(kubectl, true);
    const log = new UndoLog(work);
    log.record('kind', { op: 'delete-object', ...way, object: 'crd/it' });
    log.record('namespace', { op: 'delete-object', ...way, object: 'namespace/lab', run: 'ours' });
    log.close();
    expect(await undoAll(work)).toEqual([
      "namespace: namespace/lab is another run's now: wait until that is over",
      "kind: namespace/lab is another run's now: wait until that is over",
    ]);
    expect(readFileSync(asked, 'utf8')).not.toMatch(/delete/);
    // As kind leaves it when it takes the cluster away.
    writeFileSync(way.kubeconfig, 'clusters: null\n');
    const gone: string[] = [];
    const tell = (kubeconfig: string) => void gone.push(kubeconfig);
    // Not at the run's own end: there, nobody has looked.
    expect(await undoAll(work)).toEqual([
      expect.stringMatching(/^namespace: nobody can look at the cluster: .*kubeconfig names none/),
      expect.stringMatching(/^kind: /),
    ]);
    rmSync(way.kubeconfig);
    expect(await undoAll(work)).toHaveLength(2);
    expect(await undoAll(work, tell)).toEqual([]);
    expect(gone).toEqual([way.kubeconfig]);
    expect(readFileSync(asked, 'utf8')).not.toMatch(/delete/);
  });
});

describe('a log that is older than what is on the cluster', () => {
  /** Of a run that was killed long ago, and left more than its namespace. */
  function staleLog(way: ReturnType<typeof reached>) {
    const log = new UndoLog(work);
    log.record('kind', { op: 'delete-object', ...way, object: 'crd/it' });
    log.record('namespace', { op: 'delete-object', ...way, object: 'namespace/lab', run: 'ours' });
    log.record('functions', { op: 'delete-all', ...way, namespace: 'lab', kind: 'pods', now: true });
    log.close();
  }
  const kubectlThat = (script: string) => {
    const kubectl = join(work, 'kubectl');
    writeFileSync(kubectl, `#!/bin/sh\necho "$*" >>${join(work, 'asked')}\n${script}\n`, { mode: 0o755 });
    return kubectl;
  };
  const asked = () => readFileSync(join(work, 'asked'), 'utf8');

  it('touches nothing where somebody else has made the namespace, whose label no run has', async () => {
    staleLog(reached(kubectlThat('case "$*" in *metadata.name*) echo lab/ ;; *name) echo thing/it ;; esac')));
    const failures = await undoAll(work);
    expect(failures).toHaveLength(3);
    expect(failures[0]).toMatch(
      /^functions: namespace\/lab is not of this run: .* Nothing on that cluster is touched/,
    );
    expect(asked()).not.toMatch(/delete|patch/);
    expect(pendingUndos(work)).toHaveLength(3);
  });

  it('touches nothing either when its own namespace had gone before, and another has come since', async () => {
    const log = new UndoLog(work);
    const way = reached(
      kubectlThat('case "$*" in *metadata.name*) echo lab/ ;; *name) echo thing/it ;; esac'),
    );
    log.record('kind', { op: 'delete-object', ...way, object: 'crd/it' });
    log.done(log.record('namespace', { op: 'delete-object', ...way, object: 'namespace/lab', run: 'ours' }));
    log.close();
    expect(await undoAll(work)).toEqual([expect.stringMatching(/^kind: namespace\/lab is not of this run/)]);
    expect(asked()).not.toMatch(/delete|patch/);
  });

  it('leaves a node to the run that has the cluster now, and tries again; an API that is away keeps no node lost', async () => {
    const revive = { op: 'revive-node', container: 'faultline-no-such-node' } as const;
    const said = async (kubectl: string) => {
      const log = new UndoLog(work);
      const way = reached(kubectlThat(kubectl));
      log.record('node', revive);
      log.record('namespace', { op: 'delete-object', ...way, object: 'namespace/lab', run: 'ours' });
      log.close();
      return (await tryUndo(work)).find(({ said }) => said.startsWith('node: '));
    };
    expect(await said('echo lab/theirs')).toMatchObject({
      said: "node: namespace/lab is another run's now: wait until that is over",
      lasting: false,
    });
    // It was tried: there is no such container.
    expect((await said('exit 1'))?.said ?? '').not.toMatch(/another run/);
  });

  it('goes on where there is no such namespace, or it is its own', async () => {
    staleLog(reached(kubectlThat('true')));
    expect(await undoAll(work)).toEqual([]);
    expect(asked()).toMatch(/delete crd\/it/);
  });

  it('takes no cluster of the user for gone because the copy of its kubeconfig is away', async () => {
    const way = reached(kubectlThat('true'));
    staleLog(way);
    rmSync(way.kubeconfig);
    const gone: string[] = [];
    const failures = await undoAll(work, (kubeconfig) => void gone.push(kubeconfig));
    expect(failures).toHaveLength(3);
    expect(failures[0]).toMatch(
      /nobody can look at the cluster: .*kubeconfig names none.* not Faultline's own/,
    );
    expect(gone).toEqual([]);
    reached(way.kubectl);
    expect(await undoAll(work)).toEqual([]);
  });
});

describe('two that carry out one log', () => {
  it('do so one after the other: the second finds what the first has left', async () => {
    const kubectl = join(work, 'kubectl');
    const asked = join(work, 'asked');
    writeFileSync(kubectl, `#!/bin/sh\necho "$*" >>${asked}\nsleep 1\n`, { mode: 0o755 });
    const log = new UndoLog(work);
    log.record('kind', { op: 'delete-object', ...reached(kubectl), object: 'crd/it' });
    log.close();
    const script = `import { undoAll } from ${JSON.stringify(new URL('./log.ts', import.meta.url).pathname)};
      console.log('started');
      console.log(JSON.stringify(await undoAll(${JSON.stringify(work)})));`;
    const other = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await expect.poll(() => existsSync(asked), { timeout: 10_000 }).toBe(true);
    expect(await undoAll(work)).toEqual([]);
    expect(readFileSync(asked, 'utf8').match(/ delete crd/g)).toHaveLength(1);
    await new Promise((resolve) => (other.exitCode === null ? other.once('exit', resolve) : resolve(0)));
  });

  it('do not wait for one that died over it', async () => {
    writeFileSync(join(work, 'undoing'), '999999999 1');
    const log = new UndoLog(work);
    const one = directory('one');
    log.record('one', { op: 'remove-directory', path: one });
    log.close();
    expect(await undoAll(work)).toEqual([]);
    expect(existsSync(one)).toBe(false);
  });
});

describe('marked processes', () => {
  it('finds and kills children that left their parent, and nobody else', async () => {
    const run = `test-${process.pid}-${Date.now()}`;
    // The shell ends at once; its grandchild lives on in a session of its own, as a daemon does.
    const shell = spawn('sh', ['-c', 'setsid sleep 300 >/dev/null 2>&1 &'], {
      env: { PATH: process.env.PATH, [RUN_MARK]: run },
      stdio: 'ignore',
    });
    const other = spawn('sleep', ['300'], {
      env: { PATH: process.env.PATH, [RUN_MARK]: `${run}-other` },
      stdio: 'ignore',
    });
    try {
      await new Promise((resolve) => shell.once('exit', resolve));
      await expect.poll(() => markedProcesses(run).map((p) => p.command)).toEqual(['sleep 300']);
      expect(await killMarked(run)).toEqual([]);
      expect(markedProcesses(run)).toEqual([]);
      expect(other.exitCode).toBeNull();
    } finally {
      other.kill('SIGKILL');
      await killMarked(run);
    }
  });
});
