/**
 * The container engine that the clusters run on: the user's own where one answers, and otherwise one that Faultline starts,
 * with its own socket, data and pid file, so that it meets nobody else's.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HarnessError, RefusedError } from '../base/errors.ts';
import { aptInstall } from '../tools/apt.ts';
import { exec } from '../tools/exec.ts';
import { thisMachine, which } from '../tools/machine.ts';
import { built, type Tell } from './cache.ts';
import { run } from './command.ts';
import { startDaemon } from './daemon.ts';
import { unusable } from './engine-place.ts';
import { ownCommand } from './go-build.ts';
import { REGISTRY_HOST } from './registry.ts';

const STATE = '/var/lib/faultline/engine';
const RUN = '/run/faultline-engine';
const SOCKET = `unix://${RUN}/docker.sock`;
const UP_WITHIN_MS = 60_000;
const DOWN_WITHIN_MS = 60_000;

/** Source: the packages that a kind cluster from source needed on Debian 12. */
const PACKAGES = [
  'docker.io',
  'containerd',
  'runc',
  'iptables',
  'iproute2',
  'kmod',
  'conntrack',
  'ethtool',
  'socat',
  'ipset',
];

export class Engine {
  /** Value of DOCKER_HOST; undefined: the client's own default. */
  readonly host: string | undefined;
  readonly env: NodeJS.ProcessEnv;

  constructor(host: string | undefined) {
    this.host = host;
    // The classic builder: BuildKit's client part may not be installed, and nothing here needs it.
    this.env = {
      ...process.env,
      ...withoutProxy(process.env),
      ...{ DOCKER_BUILDKIT: '0', ...(host ? { DOCKER_HOST: host } : {}) },
    };
  }

  docker(args: string[]): Promise<string> {
    return run('docker', args, { env: this.env });
  }

  /** The same for clean-ups: it never throws, and runs also when everything else is interrupted. */
  async undo(args: string[]): Promise<void> {
    await exec('docker', args, { env: this.env, timeoutMs: 60_000 });
  }

  async answers(): Promise<boolean> {
    // Not `docker info`, which ends well without an engine.
    const { code } = await exec('docker', ['version', '--format', '{{.Server.Version}}'], {
      env: this.env,
      timeoutMs: 10_000,
    });
    return code === 0;
  }

  async hasImage(tag: string): Promise<boolean> {
    const { code } = await exec('docker', ['image', 'inspect', '--format', '{{.Id}}', tag], {
      env: this.env,
      timeoutMs: 30_000,
    });
    return code === 0;
  }
}

/** kind hands these on to the nodes, whose containerd would ask a proxy of the world outside for a registry that stands beside it. */
function withoutProxy(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (!Object.keys(env).some((name) => /^(https?|all)_proxy$/i.test(name))) return {};
  const { NO_PROXY, no_proxy } = env;
  return Object.fromEntries(
    Object.entries({ NO_PROXY: NO_PROXY ?? no_proxy, no_proxy: no_proxy ?? NO_PROXY }).map(
      ([name, others]) => [name, [others, REGISTRY_HOST].filter(Boolean).join(',')],
    ),
  );
}

/** The one that Faultline starts, whether it runs or not. */
export const ownEngine = () => new Engine(SOCKET);

/** The first that answers and can be used, or why there is none. */
async function lookForEngine(): Promise<Engine | string> {
  const problems: string[] = [];
  for (const engine of [new Engine(undefined), ownEngine()]) {
    if (!(await engine.answers())) continue;
    const problem = await unusable(engine);
    if (problem === undefined) return engine;
    problems.push(problem);
  }
  return problems.join('; ') || 'none answers';
}

const refuse = (message: string) => new RefusedError([{ file: 'container engine', message }]);

/** The engine to use. @throws RefusedError when none answers that can be used, with what starts one. */
export async function findEngine(): Promise<Engine> {
  const found = await lookForEngine();
  if (typeof found !== 'string') return found;
  throw refuse(
    `${found}: run \`make engine\` (Debian, root), which installs one and starts it beside whatever else is here, or start your own and try again`,
  );
}

/** Finds an engine, or installs and starts one. */
export async function startEngine(tell: Tell): Promise<Engine> {
  const found = await lookForEngine();
  if (typeof found !== 'string') return found;
  const machine = thisMachine();
  if (machine.uid !== 0 || !existsSync('/etc/debian_version'))
    throw refuse(
      `${found}, and one can be installed on Debian by root only: start Docker on this host yourself, and try again`,
    );
  if (!which(machine, 'dockerd')) {
    tell(`started  apt-get install ${PACKAGES.join(' ')}`);
    await aptInstall(PACKAGES, machine, { updateFirst: false });
    tell('done     apt-get install');
  }
  mkdirSync(STATE, { recursive: true });
  mkdirSync(RUN, { recursive: true });
  const config = join(STATE, 'daemon.json');
  const wrapper = await runcWrapper(tell);
  // A copy: the cache may be emptied under the running engine.
  const runtime = join(STATE, 'runc-wrapper');
  if (wrapper !== undefined) copyFileSync(wrapper, runtime);
  writeFileSync(
    config,
    JSON.stringify(
      wrapper === undefined
        ? {}
        : { runtimes: { 'faultline-runc': { path: runtime } }, 'default-runtime': 'faultline-runc' },
    ),
  );
  const log = join(STATE, 'dockerd.log');
  await startDaemon({
    command: 'dockerd',
    args: [
      `--host=${SOCKET}`,
      `--config-file=${config}`,
      `--data-root=${join(STATE, 'data')}`,
      `--exec-root=${join(RUN, 'exec')}`,
      `--pidfile=${join(RUN, 'docker.pid')}`,
    ],
    ...{ log, withinMs: UP_WITHIN_MS, answers: () => ownEngine().answers() },
  });
  tell('done     container engine started');
  return ownEngine();
}

/** Ends the engine that Faultline started, with its containers; its images stay. Does nothing where there is none. */
export async function stopEngine(tell: Tell): Promise<void> {
  const file = join(RUN, 'docker.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8'));
  if (!readCommand(pid).includes(SOCKET)) return;
  process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + DOWN_WITHIN_MS;
  // A process that has ended stays as an empty entry where nobody collects it: its command is gone.
  while (readCommand(pid) !== '') {
    if (performance.now() > deadline)
      throw new HarnessError(`dockerd (process ${pid}) did not end within ${DOWN_WITHIN_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  tell('done     container engine stopped');
}

function readCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** Bit of CAP_SYS_RESOURCE in a capability set. Source: linux/capability.h. */
const SYS_RESOURCE = 24n;

/** Path of the runc wrapper where this machine needs it (see runc-wrapper/main.go), undefined where it does not. */
export async function runcWrapper(tell: Tell): Promise<string | undefined> {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  if ((BigInt(`0x${bounding}`) >> SYS_RESOURCE) & 1n) return undefined;
  const source = fileURLToPath(new URL('./runc-wrapper/', import.meta.url));
  return join(await built(ownCommand('runc-wrapper', source), tell), 'runc-wrapper');
}
