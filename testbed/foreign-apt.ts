// apt for packages of another architecture than this machine's: with package lists of its own in the cache, from the same
// sources, so that nothing of this machine's apt changes and no root is needed.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Options for apt-get and apt-cache.
 * @param folder where lists are kept, in a folder for each architecture
 */
export function foreignApt(debianArchitecture: string, folder: string): string[] {
  const state = join(folder, `apt-${debianArchitecture}`)
  for (const path of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(state, path), { recursive: true, mode: 0o700 })
  }
  // No package of it is installed.
  const status = join(state, 'status')
  if (!existsSync(status)) writeFileSync(status, '')
  const settings = {
    'APT::Architecture': debianArchitecture,
    'APT::Architectures::': debianArchitecture,
    // The folder is its user's alone: _apt could not write there.
    'APT::Sandbox::User': 'root',
    'Dir::Cache': join(state, 'cache'),
    'Dir::State::lists': join(state, 'lists'),
    'Dir::State::status': status,
  }
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}
