// One end of a bridge that is opened by us: a connection, a command, or this process's standard streams.
import type { Duplex } from 'node:stream'
import { connect, type UriAddress } from '../index.js'
import type { BridgeAddress, ListenAddress } from './bridge-address.js'
import { Command } from './command.js'
import { openStandardStreams } from './standard-streams.js'
import { StreamPair } from './stream-pair.js'

export type OpenedAddress = Exclude<BridgeAddress, ListenAddress>

export interface BridgeEnd {
  readonly stream: Duplex
  /** What the stream leaves behind when it is closed. Resolves with a command's exit status, else 0. */
  over(clean: boolean): Promise<number>
}

export interface OpenEndOptions {
  readonly signal: AbortSignal
  readonly timeoutMs?: number | undefined
}

const done = async (): Promise<number> => 0

/** @throws ConduitError as connect(), SYSTEM; the signal's reason */
export async function openEnd(address: OpenedAddress, { signal, timeoutMs }: OpenEndOptions): Promise<BridgeEnd> {
  switch (address.kind) {
    case 'stdio': {
      const { input, output } = openStandardStreams()
      const endTogether = 'isTTY' in input && input.isTTY === true
      return { stream: new StreamPair({ input, output, endTogether }), over: done }
    }
    case 'exec': {
      const command = await Command.start(address.command, process.env)
      command.stdin.resume()
      const stream = new StreamPair({ input: command.stdout, output: command.stdin })
      return {
        stream,
        over: async (clean) => {
          if (!clean) await command.stop()
          return command.ended
        },
      }
    }
    case 'dial':
      return {
        stream: await connect(address.address as UriAddress, { signal, timeoutMs, allowHalfOpen: true }),
        over: done,
      }
  }
}
