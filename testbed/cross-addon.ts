// The addon for another architecture than this machine's, with the options of binding.gyp. Node's headers are the same there.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Architecture } from './architecture.js'
import { compiled } from './compile-c.js'
import { PROJECT_ROOT } from './project.js'

const DEFINES = ['NAPI_VERSION=8', 'NODE_ADDON_API_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS']

/** Its path. @throws Error with the compiler's words */
export function crossAddon(architecture: Architecture): string {
  const { include_dir: napi } = createRequire(import.meta.url)('node-addon-api') as { include_dir: string }
  const node = join(dirname(dirname(process.execPath)), 'include/node')
  return compiled({
    name: 'conduit.node',
    folder: join(PROJECT_ROOT, 'addon'),
    language: 'c++',
    architecture,
    options: [
      ...['-shared', '-fPIC', '-fexceptions', '-fvisibility=hidden'],
      ...DEFINES.map((define) => `-D${define}`),
      ...[`-isystem${napi}`, `-isystem${node}`],
    ],
  })
}
