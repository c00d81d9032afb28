// The unikernel's own parts on this machine: unikernel/check, compiled with sanitizers where the compiler has them.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { compileC, compiled } from '../../testbed/compile-c.js'
import { PROJECT_ROOT } from '../../testbed/project.js'

const FOLDER = join(PROJECT_ROOT, 'unikernel')
const PARTS = ['ring', 'vchan', 'vchan_page', 'text', 'entry', 'http_request', 'store_wire']
const HEADERS = [...PARTS.filter((part) => part !== 'vchan_page'), 'arch', 'event', 'xen']
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']

/** Without one there is nothing to check. */
export const hasCompiler = (): boolean => spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0

/** The program. @throws Error with the compiler's words. */
export function unikernelCheck(): string {
  const sources = PARTS.map((part) => join(FOLDER, `${part}.c`))
  const read = [...sources, ...HEADERS.map((name) => join(FOLDER, `${name}.h`))]
  const options = (sanitizers: readonly string[]) => ({
    name: 'unikernel-check',
    folder: join(FOLDER, 'check'),
    headers: [...read, join(PROJECT_ROOT, 'protocol', 'conduit-protocol.h')],
    options: [...sources, ...sanitizers],
  })
  const sanitized = compileC(options(SANITIZERS))
  return 'path' in sanitized ? sanitized.path : compiled(options([]))
}

/** What it makes of each record: one line for one. */
export function check(program: string, name: string, records: readonly (string | Uint8Array)[]): string[] {
  const input = records.flatMap((record) => {
    const bytes = Buffer.from(record as Uint8Array)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return [length, bytes]
  })
  const { status, stdout, stderr } = spawnSync(program, [name], { input: Buffer.concat(input), encoding: 'latin1' })
  if (status !== 0) throw new Error(stderr)
  return stdout.trimEnd().split('\n')
}
