// Which addon is loaded, on a package laid out in a temporary folder.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { nativeFile, prebuildPath } from '../../src/native-file.js'

describe("the addon's file", () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'conduit-addon-'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const put = (name: string): string => {
    const path = join(root, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, '')
    return path
  }

  it('is what CONDUIT_ADDON says, then a build of the package, then the prebuilt one', () => {
    const shipped = put(prebuildPath())
    expect(nativeFile(root, undefined)).to.equal(shipped)
    const built = put('build/Release/conduit.node')
    expect(nativeFile(root, '')).to.equal(built)
    expect(nativeFile(root, '/elsewhere/conduit.node')).to.equal('/elsewhere/conduit.node')
  })

  it('is named after the platform, the architecture and the C library of this process', () => {
    const libc = readsGlibcVersion() ? 'glibc' : 'musl'
    expect(prebuildPath()).to.equal(`prebuilds/linux-${process.arch}/conduit.${libc}.node`)
  })

  it('of another platform is not taken for it', () => {
    put('prebuilds/linux-vax/conduit.glibc.node')
    put(`prebuilds/linux-${process.arch}/conduit.uclibc.node`)
    expect(() => nativeFile(root, undefined)).to.throw(
      /^no addon for linux-\S+ \((glibc|musl)\): looked for \S+ and \S+$/,
    )
  })

  it('is missed with a hint for whoever has a checkout and for whoever has the package', () => {
    const hint = (): unknown => {
      try {
        return nativeFile(root, undefined)
      } catch (error) {
        return (error as { hint?: string }).hint
      }
    }
    expect(hint()).to.match(/^npx conduit-build, /)
    put('tsconfig.json')
    expect(hint()).to.equal(`npm run build in ${root}, with a C++20 compiler, make and python3 at hand`)
  })
})

/** Node's own word, which takes it milliseconds. */
function readsGlibcVersion(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime !== undefined
}
