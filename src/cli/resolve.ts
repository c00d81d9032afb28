// `conduit-cat resolve NAME`: where an address leads, and each step by which that was found out, with its time. Opens nothing there.

import { systemClock } from '../conduit/clock.js'
import { startDeadline } from '../conduit/deadline.js'
import {
  ConduitError,
  createResolver,
  type Endpoint,
  formatEndpoint,
  type Resolution,
  type ResolutionStep,
  resolveEndpoint,
} from '../index.js'
import { failureParts } from './exit-status.js'
import { catchInterruption } from './interruption.js'
import { formatMillis } from './quantity.js'
import { textTable } from './text-table.js'
import { usageErrorOf } from './usage-error.js'

export interface ResolveCommand {
  readonly address: string
  readonly json: boolean
  readonly waitMs: number | undefined
  /** Empty for those of CONDUIT_DNS or the system. */
  readonly servers: readonly string[]
}

/** Prints what was done, also when it came to nothing. @throws UsageError; ConduitError ENOTFOUND, RESOLVER, ETIMEDOUT; Interrupted */
export async function resolve(command: ResolveCommand, print: (text: string) => Promise<void>): Promise<void> {
  const { address, json, waitMs, servers } = command
  const steps: ResolutionStep[] = []
  const resolver = usage(() => createResolver(servers.length === 0 ? {} : { servers }))
  const limit = startDeadline(systemClock, {
    signal: catchInterruption(),
    timeoutMs: waitMs ?? 0,
    onTimeout: () => new ConduitError('ETIMEDOUT', `resolve ${address}: waited ${waitMs} ms`, { endpoint: address }),
  })
  try {
    const found = await resolveEndpoint(address, {
      resolver,
      signal: limit.signal,
      onStep: (step) => void steps.push(step),
    })
    await print(
      json
        ? JSON.stringify({
            ...found,
            uri: formatEndpoint(found.endpoint),
            sexp: formatEndpoint(found.endpoint, 'sexp'),
          })
        : linesOf(found).join('\n'),
    )
  } catch (error) {
    // What cannot be read was never looked for.
    if (steps.every(({ step }) => step === 'read') && isMalformed(error)) throw usageErrorOf(error)
    const inOrder = steps.toSorted((a, b) => a.atMs - b.atMs)
    if (json)
      await print(JSON.stringify({ query: address, endpoint: null, steps: inOrder, error: failureParts(error) }))
    else if (inOrder.length > 0) await print(stepLines(inOrder).join('\n'))
    throw error
  } finally {
    limit.clear()
  }
}

const isMalformed = (error: unknown): error is ConduitError =>
  error instanceof ConduitError && (error.code === 'EINVAL' || error.code === 'CONDUIT_NAME')

function usage<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw isMalformed(error) ? usageErrorOf(error) : error
  }
}

const stepLines = (steps: readonly ResolutionStep[]): string[] =>
  textTable(
    ['AT', 'TOOK', 'STEP', 'RESULT'],
    steps.map(({ step, result, failed, atMs, ms }) => [
      formatMillis(atMs),
      formatMillis(ms),
      step,
      printable(failed ? `failed: ${result}` : result),
    ]),
  )

function linesOf({ endpoint, addresses, steps }: Resolution): string[] {
  const also = addresses.length > 1 ? [`addresses   ${addresses.join(', ')}`] : []
  return [
    ...stepLines(steps),
    '',
    `endpoint    ${uriOf(endpoint)}`,
    `as sexp     ${formatEndpoint(endpoint, 'sexp')}`,
    ...also,
  ]
}

const uriOf = (endpoint: Endpoint): string => formatEndpoint(endpoint)

/** A server's words must not forge a line, nor move a terminal's cursor. */
const printable = (text: string): string => text.replace(/\p{Cc}+/gu, ' ')
