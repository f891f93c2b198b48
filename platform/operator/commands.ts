/** What each command does to the wanted state; nothing here waits or talks to anybody. */
import { randomUUID } from 'node:crypto';
import type { Event } from '../events/cloudevent.ts';
import { COMMAND, DeleteData, DeployData, RollbackData, UpdateData } from '../events/commands.ts';
import { type LambdaFunction, newFunction, setCondition } from './lambda-function.ts';
import type { Store } from './store.ts';

/** The command cannot be carried out; its sender is told why. */
export class CommandRefused extends Error {}

function wantBuild(fn: LambdaFunction): void {
  fn.generation++;
  fn.status.step = 'build-wanted';
  fn.status.phase = 'Pending';
  delete fn.status.buildId;
  delete fn.status.next;
}

function deploy(store: Store, data: DeployData, mustBeNew: boolean): LambdaFunction {
  const { name, ...spec } = data;
  const fn = store.get(name);
  if (!fn) return newFunction(name, randomUUID(), spec);
  if (mustBeNew) throw new CommandRefused(`function ${name} exists already`);
  fn.spec = spec;
  wantBuild(fn);
  return fn;
}

function existing(store: Store, name: string): LambdaFunction {
  const fn = store.get(name);
  if (!fn || fn.status.step === 'delete') throw new CommandRefused(`no function ${name}`);
  return fn;
}

function update(store: Store, data: UpdateData): LambdaFunction {
  const fn = existing(store, data.name);
  const { name: _, ...changes } = data;
  fn.spec = { ...fn.spec, ...changes };
  if (changes.source || changes.runtime) wantBuild(fn);
  else if (fn.status.step === 'settled' && fn.status.current) {
    fn.generation++;
    fn.status.step = 'roll-out';
    fn.status.phase = 'Deploying';
    fn.status.next = fn.status.current;
  }
  return fn;
}

function rollback(store: Store, data: RollbackData): LambdaFunction {
  const fn = existing(store, data.name);
  const revision = data.digest
    ? fn.status.history.find((each) => each.digest === data.digest)
    : fn.status.history[0];
  if (!revision) throw new CommandRefused(`function ${data.name} has no such earlier revision`);
  fn.generation++;
  fn.status.step = 'roll-out';
  fn.status.phase = 'Deploying';
  fn.status.next = revision;
  delete fn.status.buildId;
  return fn;
}

function remove(store: Store, name: string): LambdaFunction {
  const fn = existing(store, name);
  fn.status.step = 'delete';
  fn.status.phase = 'Deleting';
  setCondition(fn, 'ServiceReady', 'False', 'Deleting');
  return fn;
}

/** The function as it is after the command, not stored yet. Throws CommandRefused, or ZodError on malformed data. */
export function applyCommand(store: Store, event: Event, traceparent: string): LambdaFunction {
  const apply = (): LambdaFunction => {
    switch (event.type) {
      case COMMAND.deploy:
        return deploy(store, DeployData.parse(event.data), false);
      case COMMAND.create:
        return deploy(store, DeployData.parse(event.data), true);
      case COMMAND.update:
        return update(store, UpdateData.parse(event.data));
      case COMMAND.rollback:
        return rollback(store, RollbackData.parse(event.data));
      case COMMAND.delete:
        return remove(store, DeleteData.parse(event.data).name);
      default:
        throw new CommandRefused(`${event.type} is no command for the operator`);
    }
  };
  const fn = apply();
  fn.status.causes.push({ id: event.id, type: event.type, traceparent });
  return fn;
}
