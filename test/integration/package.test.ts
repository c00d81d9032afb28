// What the package promises outward: the tarball works where nothing else of this project is.
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { prebuildPath } from '../../src/native-file.js'
import { complaints, RESOLUTIONS } from '../support/consumer-types.js'
import { InstalledPackage, REPOSITORY } from '../support/installed-package.js'
import { readmeBlock, readmeProgram } from '../support/readme-programs.js'

const IMPORT = "import { connect, createServer } from 'conduit-vchan'\n"

const ECHO = `
  const server = createServer((socket) => socket.pipe(socket)); await server.listen('echo');
  const socket = await connect('echo', { signal }); socket.end('hello');
  for await (const chunk of socket) process.stdout.write(chunk); await server.close()`

const ESM = `import { connect, createServer } from 'conduit-vchan'; const { signal } = new AbortController();${ECHO}`

const COMMONJS = `const { connect, createServer } = require('conduit-vchan'); const { signal } = new AbortController();
  (async () => {${ECHO} })()`

const TYPED = `
import {
  type ConduitErrorCode, type ConduitMessageSocket, type ConduitServer, type ConduitSocket, connect, type ConnectOptions,
  createServer, domid, ERROR_CODES, isConduitError, openEnvironment, type ServerOptions,
} from 'conduit-vchan'
import { MemoryHypervisor, type Substrate } from 'conduit-vchan/testing'

export const options: ConnectOptions = { wait: true, ringBytes: 65536 }
export const serverOptions: ServerOptions = { mode: 'message' }
export const stream: Promise<ConduitSocket> = connect('echo')
export const messages: Promise<ConduitMessageSocket> = connect('echo', { mode: 'message' })
export const server: ConduitServer = createServer((socket) => socket.end())
export const streamServer = createServer({ maxConnections: 3 }, (socket) => void socket.pipe(socket))
export const messageServer = createServer({ mode: 'message' }, async (socket) => void socket.send((await socket.receive())!))
export async function accept(): Promise<void> {
  for await (const socket of streamServer) socket.pipe(socket)
  for await (const socket of messageServer) socket.on('message', (message) => socket.send(message))
}
export const codes = Object.keys(ERROR_CODES) as ConduitErrorCode[]
export const gone = (error: unknown): boolean => isConduitError(error) && error.code === 'ECONNRESET'
export async function inProcess(substrate: Substrate): Promise<void> {
  await using conduit = await openEnvironment({ substrate })
  for await (const chunk of await conduit.connect('echo')) process.stdout.write(chunk as Buffer)
}
export const hypervisor = new MemoryHypervisor()
export const self = domid(0)
// @ts-expect-error an option that does not exist
export const wrong: ConnectOptions = { wiat: true }
// @ts-expect-error a socket for messages is no stream
createServer({ mode: 'message' }, (socket) => socket.pipe(socket))
// @ts-expect-error a code that is not in the closed list
export const wrongCode: ConduitErrorCode = 'ENOTLISTED'
`

describe('the package, installed from its tarball without install scripts', function () {
  // It packs, installs, and runs two compilers.
  this.timeout(300_000)
  let installed: InstalledPackage
  before(async () => {
    installed = await InstalledPackage.install()
  })
  after(() => installed.close())

  it('brings commander and nothing else, where jitsud is not wanted', () => {
    const names = readdirSync(join(installed.directory, 'node_modules')).filter((name) => !name.startsWith('.'))
    expect(names).to.deep.equal(['commander', 'conduit-vchan'])
  })

  it('asks npm to run nothing at its install', () => {
    const lock = readFileSync(join(installed.directory, 'package-lock.json'), 'utf8')
    expect(lock).to.contain('conduit-vchan').and.not.contain('hasInstallScript')
  })

  it("carries this platform's addon, stripped and no Node version's own", async () => {
    const addon = join(installed.root, prebuildPath())
    const { stdout } = await installed.run('readelf', ['--wide', '--section-headers', '--dyn-syms', addon])
    expect(stdout).to.contain('.dynsym').and.not.contain('.symtab')
    expect(stdout).to.match(/ napi_register_module_v1\b/)
    expect(stdout).not.to.match(/ _ZN2v8/)
  })

  it('echoes for an ES module', async () => {
    const { stdout, stderr } = await installed.node(installed.write('echo.mjs', ESM))
    expect({ stdout, stderr }).to.deep.equal({ stdout: 'hello', stderr: '' })
  })

  it('echoes for a CommonJS module', async () => {
    const { stdout, status, stderr } = await installed.node(installed.write('echo.cjs', COMMONJS))
    expect({ stdout, status }).to.deep.equal({ stdout: 'hello', status: 0 }, stderr)
  })

  for (const program of ['conduit-cat', 'conduit-registrar']) {
    it(`puts ${program} on the path of npx`, async () => {
      const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as { version: string }
      const { stdout } = await installed.npx(program, '--version')
      expect(stdout).to.equal(`${version}\n`)
    })
  }

  it("carries conduit-registrar's systemd unit", () => {
    expect(existsSync(join(installed.root, 'src/cli/conduit-registrar.service'))).to.equal(true)
  })

  it("runs the README's two programs as pasted", async () => {
    const server = installed.start(process.execPath, [installed.write('server.mjs', readmeProgram('server.mjs'))])
    const complaint = text(server.stderr!)
    const { status } = await installed.npx('conduit-cat', '-z', '--wait', 'echo')
    expect(status).to.equal(0)
    const { stdout, stderr } = await installed.node(installed.write('client.mjs', readmeProgram('client.mjs')))
    expect({ stdout, stderr }).to.deep.equal({ stdout: 'hello', stderr: '' })
    server.kill('SIGTERM')
    expect(await complaint).to.equal('')
  })

  it("runs the README's messages as pasted", async () => {
    const path = installed.write('messages.mjs', IMPORT + readmeBlock("mode: 'message'"))
    const program = installed.start(process.execPath, [path])
    const [first] = (await once(program.stdout!, 'data')) as [Buffer]
    expect(first.toString()).to.equal('ping\n')
    program.kill('SIGTERM')
    await once(program, 'exit')
  })

  for (const [name, resolution] of Object.entries(RESOLUTIONS)) {
    it(`type-checks a user's programs with moduleResolution ${name}`, () => {
      const files = [
        installed.write('typed.mts', TYPED),
        installed.write('server.mts', readmeProgram('server.mjs')),
        installed.write('client.mts', readmeProgram('client.mjs')),
        installed.write('messages.mts', IMPORT + readmeBlock("mode: 'message'")),
        installed.write('echo.mts', ESM),
      ]
      if (name === 'nodenext') {
        files.push(
          installed.write(
            'echo.cts',
            "import { connect } from 'conduit-vchan'\nexport const socket = connect('echo')\n",
          ),
        )
      }
      expect(complaints(files, resolution)).to.deep.equal([])
    })
  }

  describe('where there is no prebuilt addon', () => {
    before(() => {
      renameSync(join(installed.root, prebuildPath()), join(installed.root, 'of-another-platform.node'))
    })

    it('says which one it looked for, where, and how to get it', async () => {
      const program = `import { connect } from 'conduit-vchan'
        await connect('echo').catch(({ name, code, message, hint }) => console.log(JSON.stringify({ name, code, message, hint })))`
      const { stdout } = await installed.node(installed.write('fails.mjs', program))
      const { name, code, message, hint } = JSON.parse(stdout) as Record<string, string>
      expect([name, code]).to.deep.equal(['ConduitError', 'ADDON_MISSING'])
      expect(message).to.match(/^no addon for linux-\w+ \((glibc|musl)\): looked for /)
      expect(message).to.contain(join(installed.root, 'build/Release/conduit.node'))
      expect(message).to.contain(join(installed.root, prebuildPath()))
      expect(hint).to.match(/^npx conduit-build, /)
    })

    it('builds one with npx conduit-build, and works', async () => {
      const { status, stderr } = await installed.npx('conduit-build')
      expect(status).to.equal(0, stderr)
      expect(existsSync(join(installed.root, 'build/Release/conduit.node'))).to.equal(true)
      const { stdout } = await installed.node(installed.write('echo.mjs', ESM))
      expect(stdout).to.equal('hello')
    })
  })
})
