import { useCompileCache } from '../common/compile-cache.ts';

useCompileCache();
const { runComponent } = await import('../common/component.ts');
const { start } = await import('./operator.ts');
await runComponent('operator', start);
