// The house's one structural rule: imports point down. Walks every source file and fails with the text of the broken rule.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import ts from 'typescript'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', '..')

interface Rule {
  /** Files that the rule is for, as a prefix of the path below the root. */
  readonly from: string
  /** Prefixes of what they may import from this project. */
  readonly may: readonly string[]
  /** Packages they may import beside node's own. */
  readonly packages?: readonly string[]
  readonly text: string
}

const BELOW = ['protocol/', 'src/errors']

/** The first rule whose `from` fits a file is the file's. */
const RULES: readonly Rule[] = [
  {
    from: 'protocol/',
    may: ['protocol/'],
    packages: ['zod'],
    text: 'protocol/ is pure: it imports itself and zod only',
  },
  { from: 'src/errors', may: [], text: 'errors.ts imports nothing' },
  { from: 'src/process-stat', may: ['protocol/'], text: 'process-stat.ts reads /proc for who is above it' },
  {
    from: 'src/native',
    may: ['src/errors', 'src/native'],
    text: 'native.ts is the face of the addon and needs errors only',
  },
  {
    from: 'src/substrate/substrate',
    may: [...BELOW, 'src/xenstore/transport'],
    text: 'the substrate contract knows protocol and the xenstore transport only',
  },
  {
    from: 'src/substrate/memory',
    may: [...BELOW, 'src/substrate/substrate', 'src/substrate/memory', 'src/xenstore/'],
    text: 'the memory substrate reaches no native code',
  },
  {
    from: 'src/substrate/local/',
    may: [
      ...BELOW,
      'src/substrate/substrate',
      'src/substrate/local/',
      'src/xenstore/',
      'src/native',
      'src/process-stat',
    ],
    text: 'substrate/local -> { substrate.ts, xenstore, native }',
  },
  {
    from: 'src/substrate/xen/',
    may: [...BELOW, 'src/substrate/substrate', 'src/substrate/xen/', 'src/xenstore/', 'src/native'],
    text: 'substrate/xen -> { substrate.ts, xenstore, native }',
  },
  {
    from: 'src/substrate/select',
    may: [...BELOW, 'src/substrate/'],
    text: 'select.ts chooses among the substrates and knows nothing above them',
  },
  {
    from: 'src/vchan/',
    may: [...BELOW, 'src/vchan/', 'src/substrate/substrate'],
    text: 'vchan -> substrate.ts: never the store, never names, never a concrete substrate',
  },
  { from: 'src/xenstore/', may: [...BELOW, 'src/xenstore/'], text: 'xenstore never sees vchan, nor anything above' },
  {
    from: 'src/conduit/',
    may: [...BELOW, 'src/conduit/', 'src/vchan/', 'src/xenstore/', 'src/substrate/substrate', 'src/process-stat'],
    text: 'conduit -> { vchan, xenstore, substrate.ts }',
  },
  {
    from: 'src/memory-machine',
    may: [...BELOW, 'src/conduit/', 'src/xenstore/', 'src/substrate/memory'],
    text: 'memory-machine.ts composes conduit and the memory substrate: no native code',
  },
  {
    from: 'src/testing',
    may: [...BELOW, 'src/'],
    text: 'testing.ts re-exports',
  },
  {
    from: 'src/resolver/',
    may: [...BELOW, 'src/resolver/', 'src/xenstore/', 'src/conduit/clock', 'src/conduit/deadline'],
    text: 'resolver -> xenstore: it may ask DNS and the store, and opens no channel',
  },
  {
    from: 'src/adapters/',
    may: [...BELOW, 'src/adapters/', 'src/resolver/', 'src/conduit/', 'src/vchan/'],
    packages: ['undici'],
    text: 'adapters sit on the sockets of conduit and what the resolver says',
  },
  {
    from: 'src/adopt/',
    may: [...BELOW, 'src/adopt/', 'src/conduit/clock', 'src/conduit/deadline', 'src/native'],
    text: 'adopt -> native: it takes connections over from jitsud and knows no names',
  },
  {
    from: 'src/jitsu/hold/',
    may: [
      ...BELOW,
      'src/jitsu/hold/',
      'src/jitsu/summon',
      'src/adopt/',
      'src/conduit/',
      'src/open',
      'src/native',
      'src/process-stat',
      'src/substrate/local/runtime-dir',
    ],
    text: 'hold -> { adopt, open, native }: of the directory it knows a Service, of the local substrate its private folder',
  },
  {
    from: 'src/jitsu/launchers/',
    may: [...BELOW, 'src/jitsu/', 'src/xenstore/', 'src/native', 'src/process-stat'],
    text: 'launchers -> native: they know no directory',
  },
  {
    from: 'src/jitsu/pool/',
    may: [...BELOW, 'src/jitsu/', 'src/conduit/clock', 'src/conduit/deadline'],
    text: 'pool -> launcher.ts: it touches no store, no names and no processes',
  },
  {
    from: 'src/jitsu/domain-zero',
    may: [...BELOW, 'src/jitsu/logger', 'src/conduit/', 'src/xenstore/', 'src/open', 'src/native', 'src/substrate/'],
    text: 'domain-zero.ts chooses the store that jitsud lives on; it knows no services',
  },
  {
    from: 'src/jitsu/',
    may: [
      ...BELOW,
      'src/process-stat',
      'src/jitsu/',
      'src/resolver/',
      'src/conduit/',
      'src/vchan/',
      'src/xenstore/',
      'src/open',
      'src/native',
    ],
    packages: ['zod', 'pino', 'prom-client'],
    text: 'jitsu -> { resolver, conduit, xenstore, launchers, open }',
  },
  {
    from: 'src/open',
    may: [
      ...BELOW,
      'src/open',
      'src/resolver/',
      'src/adapters/',
      'src/conduit/',
      'src/vchan/',
      'src/xenstore/',
      'src/substrate/',
    ],
    text: 'open.ts composes conduit and a substrate; it knows no command line',
  },
  {
    from: 'src/index',
    may: [
      ...BELOW,
      'src/open',
      'src/adopt/',
      'src/resolver/',
      'src/adapters/',
      'src/conduit/',
      'src/vchan/',
      'src/xenstore/',
      'src/substrate/',
    ],
    text: 'index.ts re-exports, nothing else',
  },
  {
    from: 'src/cli/',
    may: [...BELOW, 'src/'],
    packages: ['commander'],
    text: 'cli is a composition root; commander is its only package',
  },
]

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

function imports(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  return ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName)
}

function complaint(file: string, imported: string, rule: Rule): string | undefined {
  if (imported.startsWith('node:')) return undefined
  if (!imported.startsWith('.')) {
    return rule.packages?.includes(imported) ? undefined : `${file} imports ${imported}: ${rule.text}`
  }
  const target = relative(root, resolve(root, dirname(file), imported))
  return rule.may.some((prefix) => target.startsWith(prefix)) ? undefined : `${file} imports ${target}: ${rule.text}`
}

describe('imports', () => {
  const files = [...sources('protocol'), ...sources('src')]

  it('of every file have a rule', () => {
    expect(files.filter((file) => !RULES.some(({ from }) => file.startsWith(from)))).to.deep.equal([])
  })

  it('point down', () => {
    const broken = files.flatMap((file) => {
      const rule = RULES.find(({ from }) => file.startsWith(from))
      return rule === undefined ? [] : imports(file).flatMap((imported) => complaint(file, imported, rule) ?? [])
    })
    expect(broken).to.deep.equal([])
  })

  it('are seen by this test in every form', () => {
    const seen = ['local-substrate', 'attachment'].flatMap((name) => imports(`src/substrate/local/${name}.ts`))
    expect(seen).to.include.members(['node:net', '../../../protocol/xen.js', '../../native.js', '../substrate.js'])
  })

  it('load the addon in native.ts only', () => {
    const loaders = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('createRequire'))
    expect(loaders).to.deep.equal(['src/native.ts'])
  })
})
