// The addon and the end of a JavaScript environment: at any moment, in the main thread and in workers.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { OPERATION_NAMES } from './children/interrupted-operations.js'

async function run(script: string, ...args: string[]): Promise<{ ended: unknown[]; stdout: string; stderr: string }> {
  const path = fileURLToPath(new URL(`./children/${script}.js`, import.meta.url))
  const running = spawn(process.execPath, ['--expose-gc', path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, ended] = await Promise.all([
    text(running.stdout),
    text(running.stderr),
    once(running, 'close') as Promise<unknown[]>,
  ])
  return { ended, stdout, stderr }
}

const CLEANLY = { ended: [0, null], stdout: '', stderr: '' }

describe('addon: end of an environment', () => {
  for (const how of ['exit', 'worker-exit', 'worker-terminate']) {
    it(`ends cleanly by ${how} with pages mapped, a poll firing and a spin under way`, async () => {
      expect(await run('environment', how)).to.deep.equal(CLEANLY)
    })
  }

  it('ends cleanly by process.exit at each step of a life', async () => {
    const whole = await run('exit-at-step')
    expect(whole).to.deep.include({ ended: [0, null], stderr: '' })
    const steps = Number(whole.stdout)
    expect(steps).to.be.greaterThan(15)
    for (let step = 0; step < steps; step++) {
      expect(await run('exit-at-step', String(step)), `step ${step}`).to.deep.equal(CLEANLY)
    }
  })

  for (const operation of OPERATION_NAMES) {
    it(`leaves the process alive and nothing in it when workers are ended as they ${operation}`, async () => {
      expect(await run('interrupted-calls', operation)).to.deep.equal(CLEANLY)
    })
  }
})
