// The service that bench/jitsud.ts has summoned: listens, says so with one byte on standard output, and stays.
// Arguments: a file to write its start into, then `conduit NAME` or `port PORT`.
import { appendFileSync, writeSync } from 'node:fs'
import { createServer as createTcpServer } from 'node:net'
import { createServer } from '../src/index.js'

const [, , journal = '', what, where = ''] = process.argv
const STANDARD_OUTPUT = 1

appendFileSync(journal, `${process.pid}\n`)
if (what === 'conduit') await createServer((socket) => socket.end()).listen(where)
else
  await new Promise<void>((resolve) =>
    createTcpServer((socket) => socket.end()).listen(Number(where), '127.0.0.1', resolve),
  )
writeSync(STANDARD_OUTPUT, '.')
