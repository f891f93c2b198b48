import { useCompileCache } from '../common/compile-cache.ts';

useCompileCache();
const { runComponent } = await import('../common/component.ts');
const { start } = await import('./receiver.ts');
await runComponent('receiver', start);
