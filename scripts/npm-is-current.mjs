// Exits 0 when node_modules holds what package-lock.json asks for, Node 24 included, else 1. Plain JavaScript, since it
// runs before Node 24 is there; exact, where a stamp file would believe a node_modules that somebody has changed since.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const read = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;

function isCurrent() {
  const wanted = read('package-lock.json');
  // npm writes this one at the end of an installation that went well.
  const installed = read('node_modules/.package-lock.json');
  for (const [path, { version, optional, link }] of Object.entries(wanted)) {
    if (path === '' || link) continue;
    // Binaries for other platforms are optional, and not installed here.
    if (optional && installed[path] === undefined) continue;
    if (installed[path]?.version !== version) return false;
  }
  const node = wanted['node_modules/node'].version;
  return execFileSync('node_modules/.bin/node', ['--version'], { encoding: 'utf8' }).trim() === `v${node}`;
}

try {
  process.exitCode = isCurrent() ? 0 : 1;
} catch {
  process.exitCode = 1;
}
