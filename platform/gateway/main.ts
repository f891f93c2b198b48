import { useCompileCache } from '../common/compile-cache.ts';

useCompileCache();
const { runComponent } = await import('../common/component.ts');
const { start } = await import('./gateway.ts');
await runComponent('gateway', start);
