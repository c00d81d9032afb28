// The file of what runs, as another process sees it at any moment.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type JitsudState, NO_STATE, parseJitsudState } from '../../protocol/jitsud-state.js'
import { silentLogger } from '../../src/jitsu/logger.js'
import { StateFile } from '../../src/jitsu/state-file.js'

const SERVICES = 2000
const WRITES = 20

describe('the state file', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'conduit-state-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('is this user’s alone', async () => {
    const path = join(folder, 'state.json')
    await StateFile.read(path, silentLogger)
    expect(statSync(path).mode & 0o777).to.equal(0o600)
  })

  it('is the old state or the new one whenever it is read, and never part of one', async () => {
    const path = join(folder, 'state.json')
    await StateFile.read(path, silentLogger)
    let state: JitsudState = NO_STATE
    const file = StateFile.at(path, silentLogger, () => state)
    for (let number = 1; number <= WRITES; number++) {
      const names = Array.from({ length: SERVICES }, (_, index) => [`service-${index}`, { number }] as const)
      state = { version: 1, services: Object.fromEntries(names) }
      file.save()
      let done = false
      const written = file.flush().then(() => {
        done = true
      })
      while (!done) {
        const read = parseJitsudState(readFileSync(path, 'utf8'))
        const numbers = new Set(Object.values(read!.services).map((record) => record.number))
        expect([...numbers]).to.have.members(numbers.has(number) ? [number] : number === 1 ? [] : [number - 1])
        await new Promise((resolve) => setImmediate(resolve))
      }
      await written
      expect(parseJitsudState(readFileSync(path, 'utf8'))).to.deep.equal(state)
    }
    expect(readdirSync(folder)).to.deep.equal(['state.json'])
  })
})
