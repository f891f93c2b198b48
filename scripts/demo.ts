/**
 * What `make demo` runs after the set-up: the scenarios on target `local`, sixty times as fast as in earnest.
 * DEFECT=NAME switches a defect of the platform on; SCENARIO=NAME... picks scenarios. Ends with the run's exit code.
 */
import './crash.ts';
import { globSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { runToEnd } from './child.ts';
import { saidOfDefect } from './defect.ts';

const project = resolve(import.meta.dirname, '..');
const { DEFECT = '', SCENARIO = '' } = process.env;

/** So that a demo stays under six minutes; `SCENARIO=builds-parser-missing` shows it. */
const LEFT_OUT = ['builds-parser-missing'];

function scenarios(): string[] {
  const files = globSync('scenarios/*.yaml', { cwd: project }).sort();
  const wanted = SCENARIO.split(/[\s,]+/).filter((name) => name !== '');
  const names = files.map((file) => basename(file, '.yaml'));
  if (wanted.length === 0) return files.filter((_, i) => !LEFT_OUT.includes(names[i] as string));
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) refuse(`no scenario '${unknown.join("', '")}'; there are: ${names.join(', ')}`);
  return wanted.map((name) => `scenarios/${name}.yaml`);
}

function refuse(message: string): never {
  console.error(`demo: ${message}`);
  process.exit(64);
}

const files = scenarios();
if (files.length === 0) refuse('there is no scenario in scenarios/');
const defect = DEFECT === '' ? [] : ['--defect', DEFECT];
const args = ['run', ...files, '--target', 'local', '--time-scale', '60', ...defect];
console.log(`faultline ${args.join(' ')}`);

const { code, signal } = await runToEnd(join(project, 'bin/faultline'), args, project).catch((error) =>
  refuse(error.message),
);
process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0);
const said = saidOfDefect(DEFECT, code);
if (said !== undefined) console.log(`\n${said}`);
