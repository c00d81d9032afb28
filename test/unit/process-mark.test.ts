// Marks that processes and threads leave in the store: who is dead is known, who may live is not believed dead.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { expect } from 'chai'
import { freshMark, isDeadMark, markedProcess } from '../../src/conduit/process-mark.js'
import { processStat } from '../../src/process-stat.js'
import { eventually } from '../support/eventually.js'
import { MarkedProcess, markOf } from '../support/marked-process.js'

describe('the mark of a process', () => {
  it('is another one each time, and says which process it is', () => {
    const [one, two] = [freshMark(), freshMark()]
    expect(one).to.not.equal(two)
    expect([one, two].map(markedProcess)).to.deep.equal([process.pid, process.pid])
    expect([one, two].map(isDeadMark)).to.deep.equal([false, false])
  })

  it('is dead when the process has been killed', async () => {
    const other = new MarkedProcess()
    expect(isDeadMark(other.mark)).to.equal(false)
    await other.kill()
    expect(isDeadMark(other.mark)).to.equal(true)
  })

  it('is dead when nobody has waited for the process', async () => {
    const careless = spawn('sh', ['-c', 'sleep 1000 & exec sleep 1000'], { stdio: 'ignore' })
    const ended = once(careless, 'exit')
    try {
      // The shell has become one that waits for nobody.
      await eventually(() => readFileSync(`/proc/${careless.pid}/comm`, 'utf8') === 'sleep\n')
      const child = Number(readFileSync(`/proc/${careless.pid}/task/${careless.pid}/children`, 'utf8'))
      const mark = markOf(child)
      expect(isDeadMark(mark)).to.equal(false)
      process.kill(child, 'SIGKILL')
      await eventually(() => processStat(child)?.state === 'Z')
      expect(isDeadMark(mark)).to.equal(true)
    } finally {
      careless.kill('SIGKILL')
      await ended
    }
  })

  it('of a worker is dead when the worker has ended, though its process lives', async () => {
    const source = `
      import { parentPort } from 'node:worker_threads'
      const { freshMark } = await import(${JSON.stringify(new URL('../../src/conduit/process-mark.js', import.meta.url).href)})
      parentPort.on('message', () => undefined)
      parentPort.postMessage(freshMark())`
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`))
    const [mark] = (await once(worker, 'message')) as [string]
    expect(isDeadMark(mark)).to.equal(false)
    await worker.terminate()
    await eventually(() => isDeadMark(mark))
  })

  it('is not believed dead where nothing is known: another pid namespace, no mark of ours', () => {
    const [, started, namespace, random] = freshMark().split('-')
    const unknown = [
      '',
      'ring-ref',
      random!,
      `${process.pid}-1-${Number(namespace) + 1}-${random}`,
      `0-${started}-${namespace}-${random}`,
    ]
    expect(unknown.map(isDeadMark)).to.deep.equal(unknown.map(() => false))
    expect(isDeadMark(`${process.pid}-1-${namespace}-${random}`)).to.equal(true)
  })
})
