import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { type Diagnostic, RefusedError } from '../base/errors.ts';
import { exec } from './exec.ts';
import { type Finding, findTools } from './find.ts';
import type { GoBuild } from './go-install.ts';
import { type Machine, which } from './machine.ts';
import {
  GO_MINIMUM,
  PINS,
  type ReleaseArchive,
  type ReleasePin,
  releaseArchive,
  type ToolName,
} from './pins.ts';
import type { ReleaseDownload } from './release-install.ts';
import { compareVersions, upstreamVersion } from './versions.ts';

/** What an installation would do; nothing to do when both lists are empty. */
export interface InstallPlan {
  /** Debian packages, for one call of apt-get. */
  packages: string[];
  /** The package lists have to be fetched first: a package of the plan is not in them. */
  updateFirst: boolean;
  builds: GoBuild[];
  /** One for each archive, however many tools it has. */
  downloads: ReleaseDownload[];
  /** What is missing, in the order of the table. */
  missing: Finding[];
}

/** Where Go stands when it is not on PATH. */
const GO_DIRECTORIES = ['/usr/local/go/bin', '/usr/lib/go/bin'];

/**
 * Decides how each missing tool is to be installed, before anything is done.
 *
 * @throws RefusedError when one of them cannot be installed as this user on this machine; says all problems at once,
 * each with the command that solves it.
 */
export async function planInstall(names: readonly ToolName[], machine: Machine): Promise<InstallPlan> {
  const findings = await findTools(names, machine);
  const missing = findings.filter((finding) => finding.tool === undefined);
  const plan: InstallPlan = { packages: [], updateFirst: false, builds: [], downloads: [], missing };
  if (missing.length === 0) return plan;

  const go = missing.some(({ name }) => PINS[name].go) ? await findGo(machine) : undefined;
  const apt = which(machine, 'apt-get') !== undefined;
  const problems: Diagnostic[] = [];
  const withoutRoot: ToolName[] = [];

  for (const finding of missing) {
    const { name } = finding;
    const pin = PINS[name];
    const refuse = (message: string) =>
      problems.push({ file: name, message: `${stateOf(finding)}; ${message}` });
    let tooOld = '';
    if (pin.apt !== undefined && apt) {
      const candidate = await aptCandidate(pin.apt, machine);
      if (candidate === undefined || compareVersions(candidate, pin.minimum) >= 0) {
        if (machine.uid !== 0) {
          withoutRoot.push(name);
        } else {
          if (!plan.packages.includes(pin.apt)) plan.packages.push(pin.apt);
          plan.updateFirst ||= candidate === undefined;
        }
        continue;
      }
      tooOld = ` (the package ${pin.apt} is only ${candidate})`;
    }
    const archive = pin.release && releaseArchive(pin.release);
    const canBuild = pin.go !== undefined && go !== undefined && compareVersions(go.version, GO_MINIMUM) >= 0;
    if (canBuild && pin.go && go) plan.builds.push({ name, go: pin.go, goCommand: go.path });
    else if (pin.release && archive) addDownload(plan.downloads, name, pin.release, archive);
    else if (pin.go === undefined) refuse(`install ${name} >= ${pin.minimum} and put it on PATH${tooOld}`);
    else if (go === undefined) refuse(`${GO_HINT}, or put ${name} >= ${pin.minimum} on PATH`);
    else refuse(`${go.path} is ${go.version}: ${GO_HINT}, or put ${name} >= ${pin.minimum} on PATH`);
  }

  if (withoutRoot.length > 0) {
    const packages = [...new Set(withoutRoot.map((name) => PINS[name].apt as string))].join(' ');
    const states = missing
      .filter(({ name }) => withoutRoot.includes(name))
      .map((f) => `${f.name} ${stateOf(f)}`);
    problems.unshift({
      file: 'not root',
      message: `${states.join(', ')}. Nothing was installed. Run this, then try again:\n    sudo apt-get update\n    sudo apt-get install -y --no-install-recommends ${packages}`,
    });
  }
  if (problems.length > 0) throw new RefusedError(problems);
  return plan;
}

function addDownload(
  downloads: ReleaseDownload[],
  name: ToolName,
  release: ReleasePin,
  archive: ReleaseArchive,
): void {
  const directory = basename(archive.url, '.tar.gz');
  const tool = { name, file: `${directory}/${release.file}` };
  const same = downloads.find((download) => download.archive.url === archive.url);
  if (same) same.tools.push(tool);
  else downloads.push({ archive, version: release.version, tools: [tool] });
}

const GO_HINT = `install Go ${GO_MINIMUM} or newer (https://go.dev/doc/install) and put it on PATH`;

/** How a missing tool stands: `is missing`, or why the ones that were found will not do. */
export function stateOf(finding: Finding): string {
  const unfit = finding.unfit[0];
  return unfit === undefined ? 'is missing' : `will not do (${unfit.path}: ${unfit.why})`;
}

export async function findGo(machine: Machine): Promise<{ path: string; version: string } | undefined> {
  const path = which(
    machine,
    'go',
    GO_DIRECTORIES.map((directory) => machine.root + directory),
  );
  if (path === undefined) return undefined;
  const { code, output } = await exec(path, ['version'], { env: machine.env, timeoutMs: 20_000 });
  const version = code === 0 ? /go version go(\d+(?:\.\d+)+)/.exec(output)?.[1] : undefined;
  return version === undefined ? undefined : { path, version };
}

/** Upstream version that apt would install; undefined when the package lists do not have the package (yet). */
async function aptCandidate(name: string, machine: Machine): Promise<string | undefined> {
  const cache = which(machine, 'apt-cache');
  if (cache === undefined || !hasPackageLists(machine)) return undefined;
  const env = { ...machine.env, LC_ALL: 'C' };
  const { code, output } = await exec(cache, ['policy', name], { env, timeoutMs: 30_000 });
  const candidate = code === 0 ? /^\s*Candidate: (\S+)/m.exec(output)?.[1] : undefined;
  return candidate === undefined ? undefined : upstreamVersion(candidate);
}

/** Whether `apt-get update` has ever run here: without the lists, apt knows only what is installed. */
function hasPackageLists(machine: Machine): boolean {
  try {
    return readdirSync(`${machine.root}/var/lib/apt/lists`).some((entry) => /_Packages(\.\w+)?$/.test(entry));
  } catch {
    return false;
  }
}
