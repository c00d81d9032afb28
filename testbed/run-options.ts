// The command line of `npm run xen`: what it may say, and what is wrong with it.
import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ARCHITECTURES, type Architecture, TARGETS } from './architecture.js'
import type { PackedFile } from './archive-entries.js'
import type { GuestType } from './guest.js'
import type { XenstoredKind } from './qemu.js'

export const HELP = `npm run xen -- --dom0 COMMAND [options]      run a shell's command in dom0 of a Xen in QEMU
npm run xen -- --guest pv --domu COMMAND     run one in a guest
npm run xen -- --shell                       a console in dom0; exit ends it

  --dom0 COMMAND         the command for dom0
  --guest pv|pvh         make a guest of that type before any command starts
  --domu COMMAND         the command for the guest; needs --guest
  --memory MIB           of the guest; 512 unless given
  --file LOCAL:PATH      put a file into dom0 and the guest, at an absolute path; may be repeated
  --until dom0|domu      with two commands: the run ends with this one, and the other is killed
  --arch x86_64|arm64    the machine's architecture; x86_64 unless given. arm64 has guests of type pvh
  --xenstored c|ocaml    which store daemon dom0 runs; C unless given
  --help

node, conduit-cat and the C peers are on the path in both; the project is in /conduit. $GUEST_DOMID is the guest's domid in
both. With two commands both run at the same time, once the guest is up: a server in one and a client in the other. The
run ends when both have ended (or with --until), and its status is dom0's, or the guest's where dom0's is 0 (or the one's
of --until). What they print goes to stdout and stderr as it is; with two commands never in the middle of a line.
Status 125: the testbed itself failed, and says why. 128 and the signal's number: the command was killed.
`

export interface RunOptions {
  readonly architecture: Architecture
  readonly dom0?: string
  readonly domu?: string
  readonly guest?: GuestType
  readonly memory: number
  readonly files: readonly PackedFile[]
  readonly until?: 'dom0' | 'domu'
  readonly xenstored: XenstoredKind
  readonly shell: boolean
}

/** What is wrong with the command line, for people. */
export class UsageError extends Error {}

const FLAGS = {
  arch: { type: 'string' },
  dom0: { type: 'string' },
  domu: { type: 'string' },
  guest: { type: 'string' },
  memory: { type: 'string' },
  file: { type: 'string', multiple: true },
  until: { type: 'string' },
  xenstored: { type: 'string' },
  shell: { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** undefined asks for the help. @throws UsageError */
export function parseRunOptions(argv: readonly string[]): RunOptions | undefined {
  const given = parse(argv)
  if (given.help === true) return undefined
  const { dom0, domu } = given
  for (const [flag, command] of Object.entries({ dom0, domu })) {
    if (command?.trim() === '') throw new UsageError(`--${flag} needs a command`)
  }
  const architecture = oneOf('arch', given.arch ?? 'x86_64', ARCHITECTURES)
  const guest = given.guest === undefined ? undefined : oneOf('guest', given.guest, TARGETS[architecture].guestTypes)
  const until = given.until === undefined ? undefined : oneOf('until', given.until, ['dom0', 'domu'])
  const shell = given.shell ?? false
  if (shell && (dom0 ?? domu ?? guest) !== undefined) throw new UsageError('--shell goes without commands and guests')
  if (!shell && (dom0 ?? domu) === undefined) throw new UsageError('nothing to run: give --dom0, --domu or --shell')
  if (domu !== undefined && guest === undefined) throw new UsageError('--domu needs --guest pv or --guest pvh')
  if (given.memory !== undefined && guest === undefined)
    throw new UsageError("--memory is the guest's: it needs --guest")
  if (until !== undefined && (dom0 === undefined || domu === undefined)) {
    throw new UsageError('--until chooses between two commands: it needs --dom0 and --domu')
  }
  return {
    architecture,
    ...(dom0 === undefined ? {} : { dom0 }),
    ...(domu === undefined ? {} : { domu }),
    ...(guest === undefined ? {} : { guest }),
    ...(until === undefined ? {} : { until }),
    memory: memoryOf(given.memory ?? '512'),
    files: (given.file ?? []).map(packedFile),
    xenstored: oneOf('xenstored', given.xenstored ?? 'c', ['c', 'ocaml']),
    shell,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function oneOf<const T extends string>(flag: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new UsageError(`--${flag} is ${choices.join(' or ')}, not ${JSON.stringify(value)}`)
  return found
}

function memoryOf(text: string): number {
  const memory = /^\d+$/.test(text) ? Number(text) : 0
  // Below, the kernel finds no room for its file system; above, the machine has none.
  if (memory < 256 || memory > 2048) throw new UsageError(`--memory is a number of MiB from 256 to 2048, not ${text}`)
  return memory
}

const COVERED = ['/dev', '/proc', '/sys']

function packedFile(text: string): PackedFile {
  const [, source, target] = /^(.+?):(\/.*)$/.exec(text) ?? []
  if (source === undefined || target === undefined) {
    throw new UsageError(`--file is LOCAL:PATH with an absolute PATH, not ${JSON.stringify(text)}`)
  }
  const parts = target.slice(1).split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new UsageError(`--file: no path of a file: ${target}`)
  }
  if (COVERED.some((folder) => target.startsWith(`${folder}/`))) {
    throw new UsageError(`--file: the kernel's own file systems cover ${target}`)
  }
  const stat = statSync(source, { throwIfNoEntry: false })
  if (stat === undefined) throw new UsageError(`--file: there is no ${source}`)
  if (!stat.isFile()) throw new UsageError(`--file: ${source} is no file`)
  return { path: target.slice(1), source, executable: (stat.mode & 0o111) !== 0 }
}
