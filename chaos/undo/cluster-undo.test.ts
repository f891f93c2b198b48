import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { carryOut, leftover, takeForced, type UndoOperation } from './operations.ts';

/** A kubectl with one object: the file `object`, which holds its replicas and, in a second file, the words it was called with. */
const KUBECTL = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >>calls
case "$*" in
  *"get thing/it"*name*) if [ -e object ]; then echo thing/it; fi ;;
  *"get thing/it"*jsonpath*) cat object 2>/dev/null || true ;;
  *"wait --for=delete"*) [ ! -e object ] ;;
  *"api-resources"*) echo things.example.org; echo "unable to retrieve the complete list" >&2; exit 1 ;;
  *"get others.example.org"*) echo "error: the server doesn't have a resource type "others"" >&2; exit 1 ;;
  *"get cached.example.org"*) echo 'Error from server (NotFound): Unable to list "cached": the server could not find the requested resource' >&2; exit 1 ;;
  *"get things.example.org"*) if [ -e object ]; then echo thing/it; fi ;;
  *"delete thing/it"*) [ -e stuck ] || rm -f object ;;
  *"patch thing/it"*finalizers*) rm -f object stuck ;;
  *"scale thing/it"*) echo "\${*##*=}" >object ;;
esac
`;

let directory: string;
const path = (name: string) => join(directory, name);
const calls = () => readFileSync(path('calls'), 'utf8').trim().split('\n');
const way = () => ({ kubectl: path('kubectl'), kubeconfig: 'its-own', namespace: 'lab' });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'faultline-undo-'));
  writeFileSync(path('kubectl'), KUBECTL);
  chmodSync(path('kubectl'), 0o755);
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('delete-object', () => {
  const operation = (): UndoOperation => ({ op: 'delete-object', ...way(), object: 'thing/it' });

  it('deletes it with the run’s own credentials, twice without harm', async () => {
    writeFileSync(path('object'), '1');
    expect(leftover(operation())).toEqual(['thing/it is still on the cluster']);
    await carryOut(operation());
    await carryOut(operation());
    expect(leftover(operation())).toEqual([]);
    expect(calls().every((call) => call.startsWith('--kubeconfig=its-own'))).toBe(true);
  });

  it('leaves alone what another run has made', async () => {
    const kubectl = `#!/bin/sh
echo "$*" >>calls
case "$*" in
  *"get namespace/lab"*faultline*run*) echo theirs ;;
esac
`;
    writeFileSync(path('kubectl'), kubectl.replaceAll('calls', path('calls')));
    const namespace = {
      op: 'delete-object',
      ...way(),
      namespace: undefined,
      object: 'namespace/lab',
    } as const;
    await carryOut({ ...namespace, run: 'ours' });
    expect(calls().some((call) => call.includes('delete'))).toBe(false);
    expect(leftover({ ...namespace, run: 'ours' })).toEqual([]);
    expect(leftover({ ...namespace, run: 'theirs' })).toEqual(['namespace/lab is still on the cluster']);
  });

  it('forces one whose finalizer hangs', async () => {
    writeFileSync(path('object'), '1');
    writeFileSync(path('stuck'), '');
    await carryOut(operation());
    expect(existsSync(path('object'))).toBe(false);
    expect(calls().some((call) => call.includes('"finalizers":null'))).toBe(true);
    expect(takeForced()).toEqual(['thing/it did not go within 15 s: its finalizers were removed']);
    expect(takeForced()).toEqual([]);
  });

  it('ends the pods of a namespace without their grace only where it is told', async () => {
    const namespace = { ...operation(), object: 'namespace/lab', namespace: undefined } as UndoOperation;
    await carryOut(namespace);
    expect(calls().some((call) => call.includes('delete pods'))).toBe(false);
    await carryOut({ ...namespace, now: true } as UndoOperation);
    const order = calls().flatMap((call) => / delete (namespace\/lab|pods --all)/.exec(call)?.[1] ?? []);
    // First the namespace, or what holds the pods would make new ones.
    expect(order.slice(-2)).toEqual(['namespace/lab', 'pods --all']);
    expect(calls().find((call) => call.includes('delete pods'))).toMatch(
      /--namespace=lab .*--grace-period=0 --force/,
    );
  });

  it('says so when the cluster does not answer', async () => {
    writeFileSync(path('kubectl'), '#!/bin/sh\necho "connection refused" >&2\nexit 1\n');
    await expect(carryOut(operation())).rejects.toThrow(/connection refused/);
  });
});

describe('delete-all', () => {
  const all = (kind = 'things.example.org'): UndoOperation => ({ op: 'delete-all', ...way(), kind });

  it('deletes what there is, and forces what hangs', async () => {
    writeFileSync(path('object'), '1');
    expect(leftover(all())).toEqual(['thing/it is still on the cluster']);
    writeFileSync(path('stuck'), '');
    await carryOut(all());
    expect(calls().some((call) => call.includes('"finalizers":null'))).toBe(true);
    expect(leftover(all())).toEqual([]);
  });

  it('takes those with the labels, without their grace where it is told', async () => {
    writeFileSync(path('object'), '1');
    await carryOut({ ...all(), selector: 'a=b', now: true } as UndoOperation);
    expect(
      calls().some((call) =>
        call.endsWith('get things.example.org --selector=a=b --ignore-not-found --output=name'),
      ),
    ).toBe(true);
    expect(calls().some((call) => call.includes('delete thing/it --grace-period=0 --force'))).toBe(true);
  });

  it('knows that a kind that is not there has no objects', async () => {
    writeFileSync(path('object'), '1');
    await carryOut(all('others.example.org'));
    await carryOut(all('cached.example.org'));
    expect(calls().some((call) => call.includes('delete'))).toBe(false);
  });
});

it('scale-object: sets it back, and leaves alone what is gone', async () => {
  const operation: UndoOperation = { op: 'scale-object', ...way(), object: 'thing/it', replicas: 3 };
  await carryOut(operation);
  expect(existsSync(path('object'))).toBe(false);
  writeFileSync(path('object'), '0');
  expect(leftover(operation)).toEqual(['thing/it is still scaled to 0, not 3']);
  await carryOut(operation);
  expect(readFileSync(path('object'), 'utf8').trim()).toBe('3');
  // An autoscaler, or its owner, has made it another number since: that is theirs.
  writeFileSync(path('object'), '5');
  expect(leftover(operation)).toEqual([]);
  await carryOut(operation);
  expect(readFileSync(path('object'), 'utf8').trim()).toBe('5');
});
