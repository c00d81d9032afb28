// Workers that do one thing with the addon over and over, each ended in the middle of it: `interrupted-calls.js
// OPERATION`. Ends with status 1 when they leave descriptors or pages in the process; a crash shows in how it ended.
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { OPERATIONS } from './interrupted-operations.js'

const WORKERS = 6

const holdings = (): string => {
  const pages = readFileSync('/proc/self/maps', 'utf8').split('memfd:conduit-test').length - 1
  return `${readdirSync('/proc/self/fd').length} descriptors, ${pages} mappings`
}

async function interrupt(operation: string, workers: number): Promise<void> {
  const script = fileURLToPath(import.meta.url)
  const running = Array.from({ length: workers }, () => new Worker(script, { argv: [operation] }))
  for (const worker of running) worker.once('message', () => void worker.terminate())
  await Promise.all(running.map((worker) => once(worker, 'exit')))
}

const operation = process.argv[2]!
if (isMainThread) {
  // What node itself opens once.
  await interrupt(operation, 1)
  const before = holdings()
  await interrupt(operation, WORKERS)
  const after = holdings()
  if (before !== after) {
    console.error(`before: ${before}; after: ${after}`)
    process.exit(1)
  }
} else {
  parentPort!.postMessage('under way')
  for (;;) OPERATIONS[operation]!()
}
