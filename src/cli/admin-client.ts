// Asks a running jitsud at its admin address. Whoever answers there may be anything: what comes is bounded and checked.
import { get, type IncomingMessage } from 'node:http'
import { ConduitError } from '../errors.js'

/** An IP address and a port. */
export interface AdminAddress {
  readonly host: string
  readonly port: number
}

const TIMEOUT_MS = 5000
const ANSWER_MAX_BYTES = 64 << 20
const HINT = 'is jitsud running, with an admin address? --admin ADDRESS:PORT, or --config FILE, say which'

/**
 * What `path` answers, as `parse` reads it; undefined for 404.
 * @throws ConduitError ECONNREFUSED, ETIMEDOUT, EMSGSIZE, EINVAL when it is no jitsud, SYSTEM
 */
export async function askAdmin<T>(
  address: AdminAddress,
  path: string,
  parse: (value: unknown) => T | undefined,
): Promise<T | undefined> {
  const shown = address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
  const answer = await fetchBounded(address, path).catch((cause: unknown) => {
    throw askFailure(cause, shown)
  })
  if (answer.status === 404) return undefined
  const parsed = answer.status === 200 ? parse(jsonOf(answer.body)) : undefined
  if (parsed !== undefined) return parsed
  throw new ConduitError('EINVAL', `what listens at ${shown} does not answer as jitsud`, {
    hint: `it said ${answer.status} to GET ${path}: ${HINT}`,
    endpoint: shown,
  })
}

async function fetchBounded(address: AdminAddress, path: string): Promise<{ status: number; body: string }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ ...address, path, signal, agent: false }, resolve).once('error', reject)
  })
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > ANSWER_MAX_BYTES) {
      throw new ConduitError('EMSGSIZE', `an answer of more than ${ANSWER_MAX_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function askFailure(cause: unknown, shown: string): ConduitError {
  if (cause instanceof ConduitError) return cause
  const { name, code: errno, syscall, message } = cause as NodeJS.ErrnoException
  const details = { errno, syscall, endpoint: shown, hint: HINT, cause }
  if (name === 'AbortError' || name === 'TimeoutError') {
    return new ConduitError('ETIMEDOUT', `jitsud at ${shown} has not answered for ${TIMEOUT_MS} ms`, details)
  }
  if (errno === 'ECONNREFUSED') return new ConduitError('ECONNREFUSED', `nobody listens at ${shown}`, details)
  return new ConduitError('SYSTEM', `ask jitsud at ${shown}: ${message}`, details)
}
