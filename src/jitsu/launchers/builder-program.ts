// The program that builds domains for the launcher `xen`: where it is, and why there is none that works here. It is compiled against
// one version of Xen's own libraries, and runs with that alone.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../native-file.js'

const NAME = 'conduit-domain-builder'

/** `$CONDUIT_DOMAIN_BUILDER`, else what was built in this package. */
export function builderPath(override: string | undefined = process.env.CONDUIT_DOMAIN_BUILDER): string {
  return override !== undefined && override !== '' ? override : join(packageRoot(), 'build', 'Release', NAME)
}

/** What is wrong, and what to type. */
export interface BuilderProblem {
  readonly text: string
  readonly hint: string
}

const BUILD = 'npx conduit-build, where the headers of this Xen are installed (Debian: libxen-dev)'
/** Of whoever has no builder that works. */
export const USE_XL = 'or use "kind": "xl"'

/**
 * Why it did not even begin.
 * @param said its stderr: the loader's word
 */
export function startProblem(path: string, said: string, folders: readonly string[] = LIBRARY_FOLDERS): BuilderProblem {
  const hint = `${BUILD}; ${USE_XL}`
  if (!existsSync(path)) return { text: `not built for this Xen: there is no ${path}`, hint }
  // ld.so(8)'s words for a library that is not there.
  const [, library, version] = /error while loading shared libraries: ((?:lib\w+)\.so\.([0-9.]+))/.exec(said) ?? []
  if (library === undefined) return { text: `${path} does not run: ${said.trim() || 'it ended without a word'}`, hint }
  const here = versionsHere(folders)
  const there = here.length === 0 ? 'no libxenguest' : `that of ${here.map((each) => `Xen ${each}`).join(' and ')}`
  return { text: `not built for this Xen: it was built for Xen ${version} (${library}), and here is ${there}`, hint }
}

/** Where distributions put Xen's libraries; each may have a folder for its architecture below. */
const LIBRARY_FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/lib', '/lib64']

/** By the names of libxenguest, which carries Xen's version, since its interface is that version's. */
function versionsHere(folders: readonly string[]): string[] {
  const found = new Set<string>()
  const look = (folder: string): void => {
    for (const name of namesIn(folder)) {
      const version = /^libxenguest\.so\.([0-9]+\.[0-9]+)$/.exec(name)?.[1]
      if (version !== undefined) found.add(version)
    }
  }
  for (const folder of folders) {
    look(folder)
    for (const name of namesIn(folder)) if (/-linux-gnu|^xen/.test(name)) look(join(folder, name))
  }
  return [...found].sort()
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** What a builder said that cannot work: its own `unusable`. */
export function unusableProblem({
  code,
  message,
}: {
  readonly code: string
  readonly message: string
}): BuilderProblem {
  const hints: Partial<Record<string, string>> = {
    NO_XEN: 'run it in dom0, as root',
    NO_STORE: 'start xenstored (Debian: service xen start)',
    OTHER_VERSION: `${BUILD}; ${USE_XL}`,
  }
  return {
    text: code === 'OTHER_VERSION' ? `not built for this Xen: ${message}` : message,
    hint: hints[code] ?? USE_XL,
  }
}
