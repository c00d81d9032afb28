// A program that speaks the domain builder's lines and builds nothing: it writes down what it was asked, and answers as files in its
// folder say. The real one: test/xen/inside/xen-builder.test.ts.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PROGRAM = `#!${process.execPath}
const { appendFileSync, existsSync, readFileSync } = require('node:fs')
const { createInterface } = require('node:readline')
process.chdir(process.env.STATE)
const say = (message) => process.stdout.write(JSON.stringify(message) + '\\n')
const told = (name) => existsSync(name) && readFileSync(name, 'utf8')
appendFileSync('calls', 'begun\\n')
say(told('unusable') ? { event: 'unusable', ...JSON.parse(told('unusable')) } : { event: 'ready', builtFor: '4.17', orphans: Number(told('orphans') || 0) })
if (told('unusable')) process.exit(1)
let held
const uuid = 'c04d17b1-0001-8000-8000-000000000001'
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, ...request } = JSON.parse(line)
  const [kind] = Object.keys(request)
  appendFileSync('calls', kind + ' ' + JSON.stringify(request[kind]) + '\\n')
  const behaviour = told('on-' + kind)
  if (behaviour === 'die') process.exit(3)
  if (held) held()
  held = undefined
  if (behaviour === 'babble') return void process.stdout.write('no JSON\\n')
  if (behaviour === 'hold') {
    say({ event: 'created', id, domid: 7, uuid })
    return void (held = () => say({ id, ok: { domid: 7, uuid } }))
  }
  if (behaviour) return say({ id, error: JSON.parse(behaviour) })
  if (kind === 'build') say({ event: 'created', id, domid: 7, uuid })
  say({ id, ok: kind === 'build' ? { domid: 7, uuid } : kind === 'list' ? { domains: JSON.parse(told('domains') || '[]') } : { gone: false } })
}).on('close', () => appendFileSync('calls', 'ended\\n'))
`

export const BUILT_UUID = 'c04d17b1-0001-8000-8000-000000000001'

export class ScriptedBuilder {
  readonly folder = mkdtempSync(join(tmpdir(), 'conduit-builder-'))
  readonly program = join(this.folder, 'builder')
  readonly environment = { PATH: process.env.PATH, STATE: this.folder }

  constructor() {
    // CommonJS, whatever the folder's package says.
    writeFileSync(join(this.folder, 'package.json'), '{}')
    writeFileSync(this.program, PROGRAM, { mode: 0o755 })
  }

  /** What it was asked, in order; `begun` and `ended` for its own life. */
  calls(): string[] {
    const file = join(this.folder, 'calls')
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  }

  /** @param behaviour `die`, `babble`, `hold` (a build is answered when the next request comes), or the error that it answers; undefined for as always */
  on(kind: string, behaviour: string | object | undefined): void {
    const file = join(this.folder, `on-${kind}`)
    if (behaviour === undefined) rmSync(file, { force: true })
    else writeFileSync(file, typeof behaviour === 'string' ? behaviour : JSON.stringify(behaviour))
  }

  /** What `list` gives from now on. */
  domains(...domains: readonly object[]): void {
    writeFileSync(join(this.folder, 'domains'), JSON.stringify(domains))
  }

  /** What it says of itself at the start. */
  unusable(code: string, message: string): void {
    writeFileSync(join(this.folder, 'unusable'), JSON.stringify({ builtFor: '4.17', code, message }))
  }

  remove(): void {
    rmSync(this.folder, { recursive: true })
  }
}
