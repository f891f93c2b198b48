import { createHash } from 'node:crypto';
import { RefusedError } from '../base/errors.ts';
import { readYaml, type YamlFile } from '../base/yaml-file.ts';
import { Scenario } from './schema.ts';

export interface ScenarioFile extends YamlFile<Scenario> {
  file: string;
  sha256: string;
}

/** Reads all scenario files and reports the problems of all of them together. @throws RefusedError */
export function loadScenarios(files: string[]): ScenarioFile[] {
  const loaded: ScenarioFile[] = [];
  const problems = [];
  const seen = new Map<string, string>();
  for (const file of files) {
    try {
      const yaml = readYaml(file, Scenario);
      const name = yaml.value.metadata.name;
      const other = seen.get(name);
      if (other !== undefined) {
        problems.push({
          file,
          line: yaml.lineOf(['metadata', 'name']),
          field: 'metadata.name',
          message: `"${name}" is already the name of ${other}: expected a name of its own`,
        });
      }
      seen.set(name, file);
      loaded.push({ ...yaml, file, sha256: createHash('sha256').update(yaml.text).digest('hex') });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      problems.push(...error.diagnostics);
    }
  }
  if (problems.length > 0) throw new RefusedError(problems);
  return loaded;
}
