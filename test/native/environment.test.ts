// The addon and the end of a JavaScript environment: at any moment, in the main thread and in workers.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const child = fileURLToPath(new URL('./children/environment.js', import.meta.url))

async function run(how: string): Promise<{ code: number | null; signal: string | null; stderr: string }> {
  const running = spawn(process.execPath, ['--expose-gc', child, how], { stdio: ['ignore', 'inherit', 'pipe'] })
  let stderr = ''
  running.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const [code, signal] = (await once(running, 'close')) as [number | null, string | null]
  return { code, signal, stderr }
}

describe('addon: end of an environment', () => {
  for (const how of ['exit', 'worker-exit', 'worker-terminate']) {
    it(`ends cleanly by ${how} with pages mapped, a poll firing and a spin under way`, async () => {
      expect(await run(how)).to.deep.equal({ code: 0, signal: null, stderr: '' })
    })
  }
})
