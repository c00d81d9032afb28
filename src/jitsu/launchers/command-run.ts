// Runs a tool of the toolstack to its end: its output, bounded, or why it failed in its own words.
import { spawn } from 'node:child_process'
import { ConduitError } from '../../errors.js'

/** What is kept of each of stdout and stderr. */
const OUTPUT_BYTES = 64 << 10

/** One tool, found on PATH or by its path. */
export interface Tool {
  readonly program: string
  readonly environment: NodeJS.ProcessEnv
}

/**
 * Its stdout.
 * @param log gets each line that it prints on stderr
 * @throws ConduitError LAUNCHER with what it said; the signal's reason, when the tool was killed for it
 */
export function run(
  { program, environment }: Tool,
  args: readonly string[],
  { signal, log = () => undefined }: { readonly signal?: AbortSignal; readonly log?: (line: string) => void } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return void reject(signal.reason)
    const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = collected(child.stdout)
    const errors = collected(child.stderr)
    const onAbort = (): void => void child.kill('SIGTERM')
    signal?.addEventListener('abort', onAbort)
    const what = `${program} ${args[0] ?? ''}`.trim()
    child.once('error', (cause: NodeJS.ErrnoException) => {
      signal?.removeEventListener('abort', onAbort)
      const hint = cause.code === 'ENOENT' ? `install it, or put it on the PATH of jitsud` : undefined
      reject(
        new ConduitError('LAUNCHER', `${what} cannot be run: ${cause.message}`, { errno: cause.code, hint, cause }),
      )
    })
    child.once('close', (status, killedBy) => {
      signal?.removeEventListener('abort', onAbort)
      const said = errors().trim()
      for (const line of said.split('\n')) if (line !== '') log(line)
      if (status === 0) return resolve(output())
      if (signal?.aborted === true) return reject(signal.reason)
      const how = killedBy === null ? `exit status ${status}` : `killed by ${killedBy}`
      const last = said.split('\n').at(-1) || output().trim().split('\n').at(-1)
      reject(new ConduitError('LAUNCHER', `${what}: ${last || how}`, { errno: how }))
    })
  })
}

function collected(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    const kept = chunk.subarray(0, Math.max(0, OUTPUT_BYTES - bytes))
    bytes += kept.length
    if (kept.length > 0) chunks.push(kept)
  })
  return () => Buffer.concat(chunks).toString()
}
