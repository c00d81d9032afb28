// The command line of `npm run xen`, and how the files that go into the machine are found.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { moduleDependencies } from '../../testbed/kernel-modules.js'
import { lockedPackages } from '../../testbed/package-folders.js'
import { qemuArguments } from '../../testbed/qemu.js'
import { parseRunOptions, UsageError } from '../../testbed/run-options.js'
import { sharedLibraries } from '../../testbed/shared-libraries.js'

describe('the options of npm run xen', () => {
  let folder: string
  let local: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-options-'))
    local = join(folder, 'with:colon')
    writeFileSync(local, '#!', { mode: 0o755 })
  })
  after(() => rmSync(folder, { recursive: true }))

  it('name commands, guest, files and daemon', () => {
    const text = [
      '--dom0',
      'a b',
      '--guest',
      'pvh',
      '--domu',
      'c',
      '--until',
      'domu',
      '--memory',
      '512',
      '--xenstored',
      'ocaml',
    ]
    expect(parseRunOptions([...text, '--file', `${local}:/root/x`])).to.deep.equal({
      architecture: 'x86_64',
      dom0: 'a b',
      domu: 'c',
      guest: 'pvh',
      until: 'domu',
      memory: 512,
      files: [{ path: 'root/x', source: local, executable: true }],
      xenstored: 'ocaml',
      shell: false,
    })
  })

  it('have defaults', () => {
    const options = { architecture: 'x86_64', dom0: 'x', memory: 512, files: [], xenstored: 'c', shell: false }
    expect(parseRunOptions(['--dom0', 'x'])).to.deep.equal(options)
    expect(parseRunOptions(['--help'])).to.equal(undefined)
  })

  const WRONG: [string, RegExp][] = [
    ['', /nothing to run/],
    ['--guest pv', /nothing to run/],
    ['--dom0=', /--dom0 needs a command/],
    ['--domu x', /--domu needs --guest/],
    ['--dom0 x --guest hvm', /--guest is pv or pvh, not "hvm"/],
    ['--dom0 x --arch mips', /--arch is x86_64 or arm64, not "mips"/],
    ['--dom0 x --arch arm64 --guest pv', /--guest is pvh, not "pv"/],
    ['--dom0 x --xenstored rust', /--xenstored is c or ocaml/],
    ['--dom0 x --until dom0', /--until chooses between two commands/],
    ['--dom0 x --memory 512', /--memory is the guest's/],
    ['--dom0 x --guest pv --memory 12', /from 256 to 2048/],
    ['--dom0 x --guest pv --memory 1e3', /from 256 to 2048/],
    ['--shell --dom0 x', /--shell goes without/],
    ['--dom0 x --file a', /--file is LOCAL:PATH/],
    ['--dom0 x --file a:b', /--file is LOCAL:PATH/],
    ['--dom0 x --file /nowhere:/root/a', /there is no \/nowhere/],
    ['--dom0 x --file /etc:/root/a', /\/etc is no file/],
    ['--dom0 x --file /etc/hosts:/root/', /no path of a file/],
    ['--dom0 x --file /etc/hosts:/root/../a', /no path of a file/],
    ['--dom0 x --file /etc/hosts:/proc/a', /cover \/proc\/a/],
    ['--dom0 x --typo', /--typo/],
    ['word', /word/],
  ]
  for (const [line, message] of WRONG) {
    it(`refuse "${line}"`, () => {
      expect(() => parseRunOptions(line === '' ? [] : line.split(' '))).to.throw(UsageError, message)
    })
  }
})

describe('the arguments of QEMU', () => {
  it('write a comma in a path twice', () => {
    const files = { xen: 'xen', kernel: 'a,b', root: 'c,d', agentSocket: 'e,f', consoleLog: 'g' }
    const line = qemuArguments({ ...files, architecture: 'x86_64', xenstored: 'c', shell: false })
    expect(line[line.indexOf('-initrd') + 1]).to.match(/^a,,b console=.*,c,,d$/)
    expect(line).to.include('socket,id=agent,path=e,,f')
  })

  it('load the kernel and the file system of an arm64 machine into its memory', () => {
    const files = { xen: 'xen', kernel: 'a,b', root: 'c', agentSocket: 'd', consoleLog: 'e' }
    const line = qemuArguments({ ...files, architecture: 'arm64', xenstored: 'ocaml', shell: false })
    const loaded = line.filter((word) => word.startsWith('guest-loader,'))
    expect(loaded[0]).to.match(/,kernel=a,,b,bootargs=console=hvc0 .* conduit\.xenstored=ocaml$/)
    expect(loaded[1]).to.match(/,initrd=c$/)
    expect(line).to.not.include('-initrd')
  })
})

describe('what goes into the machine', () => {
  it('has the libraries that the loader of this machine would take', () => {
    const tree = { root: '/nowhere', libraries: '/nowhere/usr/lib/x86_64-linux-gnu', architecture: 'x86_64' } as const
    const loaded = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
    const names = [...loaded.matchAll(/(?:=> |^\s*)\/\S*\/(\S+) \(0x/gm)].map(([, name]) => name).sort()
    const found = sharedLibraries([process.execPath], tree)
    expect(found.map((path) => basename(path)).sort()).to.deep.equal(names)
    expect(() => sharedLibraries([process.execPath], { ...tree, architecture: 'arm64' })).to.throw(/needs a library: /)
  })

  it('has packages with all that they need, found as node finds them', () => {
    const packages = {
      'node_modules/a': { dependencies: { b: '1', c: '1' } },
      'node_modules/a/node_modules/b': { dependencies: { c: '1', e: '1' } },
      'node_modules/a/node_modules/e': {},
      'node_modules/e': {},
      'node_modules/b': {},
      'node_modules/c': { dependencies: { '@x/d': '1' } },
      'node_modules/@x/d': { dependencies: { a: '1' } },
      'node_modules/unused': {},
    }
    expect(lockedPackages(packages, ['a'])).to.deep.equal([
      'node_modules/@x/d',
      'node_modules/a',
      'node_modules/a/node_modules/b',
      'node_modules/a/node_modules/e',
      'node_modules/c',
    ])
    expect(() => lockedPackages(packages, ['z'])).to.throw(/z, needed by the project/)
  })

  it('has modules with those that they name', () => {
    const info = (text: string) => Buffer.from(`ELF\0license=GPL\0${text}\0name=x\0`)
    expect(moduleDependencies(info('depends=virtio,virtio-ring'))).to.deep.equal(['virtio', 'virtio-ring'])
    expect(moduleDependencies(info('depends='))).to.deep.equal([])
    expect(moduleDependencies(Buffer.from('no module'))).to.deep.equal([])
  })
})
