// A TCP address that jitsud holds for a service until it is ready, as the configuration file says it. Pure: checks and defaults.
import { isIP } from 'node:net'
import { z } from 'zod'
import { parseAddress } from './conduit-address.js'

/** An IP address and a port. */
export interface SocketAddress {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

const SOCKET_ADDRESS = /^(?:\[([^\]]{2,64})\]|([0-9.]{7,15})):([0-9]{1,5})$/
const PORT_MAX = 65_535

/** What `ADDR:PORT` or `[V6]:PORT` spells; undefined for anything else, names included. */
export function parseSocketAddress(text: string): SocketAddress | undefined {
  const match = SOCKET_ADDRESS.exec(text)
  if (match === null) return undefined
  const [, v6, v4, digits] = match
  const port = Number(digits)
  const fits = v6 === undefined ? isIP(v4 ?? '') === 4 : isIP(v6) === 6
  return fits && port <= PORT_MAX ? { host: (v6 ?? v4) as string, port } : undefined
}

/** As {@link parseSocketAddress} reads it. */
export function formatSocketAddress({ host, port }: SocketAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const ADDRESS_RULE = 'an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080'

const heldAddress = z.string().refine((text) => parseSocketAddress(text) !== undefined, { error: ADDRESS_RULE })
const guestAddress = z.string().refine((text) => (parseSocketAddress(text)?.port ?? 0) > 0, { error: ADDRESS_RULE })
const conduitAddress = z.string().refine((text) => !('problem' in parseAddress(text)), {
  error: 'a conduit address, such as www, www:http or vchan://3/http',
})

const common = {
  /** Where jitsud listens. Port 0: one of the kernel's choice. */
  address: heldAddress,
  /** Most bytes that jitsud keeps of one client while the service boots; the rest waits at the client. */
  maxBytes: z.int().min(1).max(16_777_216).default(65_536),
  /** Most clients that wait for the service or are relayed to it; more are reset. */
  maxConnections: z.int().min(1).max(65_536).default(1024),
}

/** One entry of a service's `hold`. */
export const holdSchema = z.discriminatedUnion(
  'handover',
  [
    z.strictObject({
      ...common,
      /** As descriptors, to a program with adoptConnections(). */
      handover: z.literal('fd'),
    }),
    z.strictObject({
      ...common,
      /** Over conduits. */
      handover: z.literal('conduit'),
      /** The service's own name by default. */
      target: conduitAddress.optional(),
    }),
    z.strictObject({
      ...common,
      /** Relayed to an address of the service's own. */
      handover: z.literal('tcp'),
      /** That address. */
      target: guestAddress,
    }),
  ],
  // The union's own complaint does not say what there is to choose from.
  { error: ({ code }) => (code === 'invalid_union' ? 'fd, conduit or tcp' : undefined) },
)

/** One entry of a service's `hold`, checked and with its defaults. */
export type HoldConfig = z.output<typeof holdSchema>
