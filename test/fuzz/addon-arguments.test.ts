// The addon and callers that hand it anything: it throws errors that say what was wrong and never takes the process
// down. In children, since a crash would take the tests down too; a failure names the seed that brings it again.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const child = fileURLToPath(new URL('./children/hostile-calls.js', import.meta.url))
const CALLS = '20000'

describe('addon: hostile arguments, fuzzed', () => {
  for (const where of ['main', 'worker']) {
    for (const seed of ['1', '2', '3']) {
      it(`answers any call with a value, a TypeError, a RangeError or an errno: ${where} thread, seed ${seed}`, async () => {
        const folder = mkdtempSync(join(tmpdir(), 'conduit-'))
        const args = ['--expose-gc', child, seed, CALLS, where, folder]
        const running = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
        let stderr = ''
        running.stderr.on('data', (chunk: Buffer) => {
          stderr += chunk.toString()
        })
        const [code, signal] = (await once(running, 'close')) as [number | null, string | null]
        rmSync(folder, { recursive: true })
        expect({ code, signal, stderr }).to.deep.equal({ code: 0, signal: null, stderr: '' })
      })
    }
  }
})
