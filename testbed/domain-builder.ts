// addon/domain-builder as a program for the machine, on Debian's libxenguest; with faults on demand, for the tests in there.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { compiled } from './compile-c.js'
import type { DebianTree } from './debian-packages.js'
import { PROJECT_ROOT } from './project.js'
import { libraryPath } from './shared-libraries.js'

/** Path of the program. @throws Error with the compiler's words */
export function domainBuilder(tree: DebianTree): string {
  const [, version] = readdirSync(tree.libraries)
    .map((name) => /^libxenguest\.so\.([0-9]+\.[0-9]+)$/.exec(name))
    .find((found) => found !== null)!
  return compiled({
    name: 'conduit-domain-builder',
    folder: join(PROJECT_ROOT, 'addon/domain-builder'),
    options: [
      // xen/hvm/save.h insists on GNU's C.
      '-std=gnu11',
      `-isystem${join(tree.root, 'usr/include')}`,
      `-DCONDUIT_XEN_VERSION="${version}"`,
      '-DCONDUIT_BUILDER_FAULTS',
      `-L${tree.libraries}`,
      `-Wl,-rpath-link,${libraryPath(tree)}`,
      ...['-lxenguest', '-lxenctrl', '-lxentoollog'],
    ],
  })
}
