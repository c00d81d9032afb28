// The library that is preloaded into the store daemons, compiled once for each state of its sources.
import { join } from 'node:path'
import { compileC } from '../compile-c.js'
import { PROJECT_ROOT } from '../project.js'

/**
 * The library's path, or why there is none.
 * @param headers where libxen-dev's headers lie
 */
export function buildPreload(headers: string): string | { readonly problem: string } {
  const compiled = compileC({
    name: 'plain-machine.so',
    folder: join(PROJECT_ROOT, 'testbed', 'daemons'),
    // gnu11: Xen's own headers have anonymous unions.
    options: ['-std=gnu11', '-shared', '-fPIC', '-isystem', headers, '-ldl'],
  })
  return 'path' in compiled ? compiled.path : { problem: compiled.failure }
}
