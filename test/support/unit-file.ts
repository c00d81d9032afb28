// A systemd unit of the package, as text and as systemd reads it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROJECT_ROOT } from '../../testbed/project.js'

export class UnitFile {
  readonly #name: string
  readonly #text: string

  /** @param name such as `jitsud.service` */
  constructor(name: string) {
    this.#name = name
    this.#text = readFileSync(join(PROJECT_ROOT, 'src/cli', name), 'utf8')
  }

  /** The values of a key, in order. */
  settings(key: string): string[] {
    return this.#text.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []))
  }

  /** Whether systemd is there to be asked. */
  static get canBeVerified(): boolean {
    return spawnSync('systemd-analyze', ['--version']).status === 0
  }

  /** What `systemd-analyze verify` says about it, with a program that is there in its place. */
  verify(): { readonly complaints: string[]; readonly status: number | null } {
    const directory = mkdtempSync(join(tmpdir(), 'conduit-unit-'))
    const file = join(directory, this.#name)
    writeFileSync(file, this.#text.replace(/^ExecStart=\S+/m, `ExecStart=${process.execPath}`))
    const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
    rmSync(directory, { recursive: true })
    const [name] = this.#name.split('.')
    return {
      complaints: verified.stderr.split('\n').filter((line) => line.includes(name!)),
      status: verified.status,
    }
  }
}
