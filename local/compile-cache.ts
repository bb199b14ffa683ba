/** Imported before all else: has Node keep what it compiled for the next start, of the storage emulator too, which inherits it. */
import { enableCompileCache } from 'node:module';
import path from 'node:path';
import { repositoryRoot } from './servers/repository-root';

process.env.NODE_COMPILE_CACHE ??= path.join(repositoryRoot(), 'node_modules/.cache/keyferry');
enableCompileCache(process.env.NODE_COMPILE_CACHE);
