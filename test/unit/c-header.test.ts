// protocol/conduit-protocol.h: the same numbers as the TypeScript ones, and C that compiles anywhere.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { cHeader, cHeaderValues } from '../../protocol/c-header.js'
import { ControlType, MAX_CONTROL_BYTES, NONE } from '../../protocol/local-control.js'
import { END_MARK_MAGIC, OFFSET } from '../../protocol/vchan-page.js'
import { XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { PROJECT_ROOT } from '../../testbed/project.js'

const FOLDER = join(PROJECT_ROOT, 'protocol')

describe('conduit-protocol.h', () => {
  let work: string
  before(() => {
    work = mkdtempSync(join(tmpdir(), 'conduit-header-'))
  })
  after(() => rmSync(work, { recursive: true }))

  function compile(source: string, ...options: string[]): string {
    const [file, program] = [join(work, 'test.c'), join(work, 'test')]
    writeFileSync(file, source)
    const strict = ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', `-I${FOLDER}`]
    const compiled = spawnSync('cc', [...strict, ...options, file, '-o', program], { encoding: 'utf8' })
    expect(compiled.status, compiled.error?.message ?? compiled.stderr).to.equal(0)
    return program
  }

  it('is what the protocol says (npm run protocol:header)', () => {
    expect(readFileSync(join(FOLDER, 'conduit-protocol.h'), 'utf8')).to.equal(cHeader())
  })

  it('defines each name once', () => {
    const names = cHeader().match(/^#define CONDUIT_\w+(?= )/gm)!
    expect(new Set(names).size).to.equal(names.length)
    expect(names.length).to.equal(cHeaderValues().size)
  })

  it('says to C what the TypeScript says', () => {
    const wanted = [...cHeaderValues()]
    const prints = wanted.map(([name, value]) =>
      typeof value === 'string' ? `puts(${name});` : `printf("%llu\\n", (unsigned long long)${name});`,
    )
    const source = `#include "conduit-protocol.h"\n#include <stdio.h>\nint main(void) { ${prints.join('\n')} return 0; }\n`
    const printed = spawnSync(compile(source), { encoding: 'utf8' }).stdout.trimEnd().split('\n')
    expect(printed).to.deep.equal(wanted.map(([, value]) => String(value)))
  })

  it('has the numbers that C programs write out by hand', () => {
    const expected = {
      VCHAN_OFFSET_RIGHT_PROD: OFFSET.RIGHT_PROD,
      VCHAN_OFFSET_GRANTS: 24,
      VCHAN_NOTIFY_READ: 2,
      VCHAN_LIVE_AWAITED: 2,
      VCHAN_ORDER_MAX: 20,
      VCHAN_END_MARK_MAGIC: END_MARK_MAGIC,
      XS_TYPE_WATCH_EVENT: XENSTORE_TYPES.WATCH_EVENT,
      XS_FEATURE_WATCH_DEPTH: 4,
      CONTROL_TYPE_STORE_SOCKET: ControlType.STORE_SOCKET,
      CONTROL_STATUS_NO_DESCRIPTORS: 7,
      CONTROL_NONE: NONE,
      CONTROL_MAX_BYTES: MAX_CONTROL_BYTES,
    }
    const asserts = Object.entries(expected).map(
      ([name, value]) => `_Static_assert(CONDUIT_${name} == ${value}u, "${name}");`,
    )
    compile(`#include "conduit-protocol.h"\n${asserts.join('\n')}\nint main(void) { return 0; }\n`)
  })

  it('needs no library and no other header', () => {
    compile('#include "conduit-protocol.h"\nint page = CONDUIT_PAGE_BYTES;\n', '-ffreestanding', '-nostdinc', '-c')
  })
})
