// The configuration of jitsud: JSON, every key checked, every default filled in. A wrong one is told by path with what is
// accepted there; nothing is guessed.
import { z } from 'zod'
import { type ConfigFault, exactly, faultsOf, quantity, show } from './config-faults.js'
import { socketAddress } from './config-values.js'
import { poolSchema } from './jitsud-pool-config.js'
import { serviceSchema } from './jitsud-service-config.js'

export type { ConfigFault } from './config-faults.js'
export * from './jitsud-launcher-config.js'
export * from './jitsud-pool-config.js'
export * from './jitsud-service-config.js'

/** RFC 2181 8: a TTL has 31 bits. */
const TTL_MAX = 2 ** 31 - 1
const SERVICES_MAX = 10_000

const dnsSchema = exactly({
  /** Where DNS is answered, over UDP and TCP. */
  listen: socketAddress(),
  /** Seconds for which an answer may be kept. */
  ttl: quantity('seconds', 0, TTL_MAX).int('a whole number').default(60),
  /** Who is asked what is not jitsud's; nobody where it is left out: such questions are refused. */
  forward: z
    .array(socketAddress(53), { error: () => 'a list of addresses of DNS servers' })
    .max(16)
    .default([]),
})

/** Every pair of services whose `values` meet. */
function twice(
  services: readonly { readonly name: string }[],
  values: (index: number) => readonly string[],
): { readonly index: number; readonly at: number; readonly value: string; readonly first: string }[] {
  const holders = new Map<string, string>()
  return services.flatMap(({ name }, index) =>
    values(index).flatMap((value, at) => {
      const first = holders.get(value)
      if (first === undefined) holders.set(value, name)
      return first === undefined ? [] : [{ index, at, value, first }]
    }),
  )
}

const servicesSchema = z
  .array(serviceSchema, { error: () => 'a list of services' })
  .max(SERVICES_MAX, `at most ${SERVICES_MAX} services`)
  .superRefine((services, context) => {
    const complain = (path: PropertyKey[], value: string, first: string, what: string): void => {
      context.addIssue({
        code: 'custom',
        path,
        message: `a ${what} that no other service has`,
        params: { problem: `${show(value)} belongs to service ${show(first)} already` },
      })
    }
    for (const { index, value, first } of twice(services, (at) => [services[at]!.name])) {
      complain([index, 'name'], value, first, 'name')
    }
    for (const { index, at, value, first } of twice(services, (at) => services[at]!.dns)) {
      complain([index, 'dns', at], value, first, 'DNS name')
    }
    for (const { index, at, value, first } of twice(services, (at) =>
      services[at]!.hold.flatMap(({ address }) => (address.endsWith(':0') ? [] : address)),
    )) {
      complain([index, 'hold', at, 'address'], value, first, 'held address')
    }
  })

/** The shape of a whole configuration. */
export const jitsudConfigSchema = exactly({
  /** The DNS server; none where it is left out. */
  dns: dnsSchema.optional(),
  /** The admin pages; none where it is left out. */
  admin: exactly({
    /** Where they are served. */
    listen: socketAddress(),
  }).optional(),
  /** Where jitsud keeps what runs, for after a restart of its own. */
  stateFile: z
    .string({ error: () => 'an absolute path' })
    .regex(/^\/[^\0]+$/, 'an absolute path')
    .optional(),
  /** Instances that are kept warm. */
  pool: poolSchema.prefault({}),
  /** What is summoned. */
  services: servicesSchema,
})

/** A whole configuration, with every default filled in. */
export type JitsudConfig = Readonly<z.output<typeof jitsudConfigSchema>>

/** What {@link parseJitsudConfig} found. */
export type ParsedJitsudConfig =
  | { readonly ok: true; readonly config: JitsudConfig }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

/** The configuration that `value`, parsed JSON, spells. Never throws. */
export function parseJitsudConfig(value: unknown): ParsedJitsudConfig {
  const parsed = jitsudConfigSchema.safeParse(value, { reportInput: true })
  return parsed.success ? { ok: true, config: parsed.data } : { ok: false, faults: faultsOf(parsed.error) }
}
