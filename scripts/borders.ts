/** Checks that no room imports what its DEPS.list does not allow; exit 1 and `file:line: from -> to` when one does. */
import { resolve } from 'node:path';
import { checkBorders } from './rooms.ts';

const project = process.argv[2] ?? resolve(import.meta.dirname, '..');
const { files, violations } = checkBorders(project);
for (const { file, line, message } of violations) console.error(`${file}:${line}: ${message}`);
if (files === 0) console.error(`${project}: no TypeScript file in any room`);
console.log(`borders: ${files} files, ${violations.length} violations`);
process.exitCode = violations.length > 0 || files === 0 ? 1 : 0;
