// One service of jitsud's configuration: what is asked for, how it is started, when it is ready, how it is stopped.
import { z } from 'zod'
import { isReservedName, NAME_RULE, parseName } from './conduit-name.js'
import { exactly, oneOf, quantity, text } from './config-faults.js'
import { dnsName, ipAddress } from './config-values.js'
import { holdSchema } from './jitsud-hold-config.js'
import { launcherSchema } from './jitsud-launcher-config.js'

/** Where a guest says that it is ready, unless the configuration names another key: the part of its tree that it may write. */
export const READY_KEY = 'data/jitsu/ready'
export const READY_TIMEOUT_SECONDS = 10
export const STOP_SECONDS = 30
/** setTimeout's longest delay is 2^31 - 1 ms: 24 days. */
const LONGEST_SECONDS = 2_000_000

const timeoutSeconds = quantity('seconds', 0.001, LONGEST_SECONDS).default(READY_TIMEOUT_SECONDS)
const delaySeconds = quantity('seconds', 0, LONGEST_SECONDS)

const KEY_RULE = 'a path below /local/domain/DOMID, such as data/jitsu/ready, without a / at either end'
const key = text(KEY_RULE, (given) =>
  given.length <= 1024 && /^[A-Za-z0-9_@:-][A-Za-z0-9_@:.-]*(\/[A-Za-z0-9_@:-][A-Za-z0-9_@:.-]*)*$/.test(given)
    ? given
    : undefined,
)
const portNumber = quantity('a port number', 1, 0xffff).int('a whole number')

/** The guest's own word that it can be used. */
const readySchema = z.discriminatedUnion(
  'when',
  [
    /** Its conduit name is registered, by it. */
    exactly({
      /** By its conduit name. */
      when: z.literal('conduit'),
      /** Seconds for the whole boot. */
      timeoutSeconds,
    }),
    /** A key of its own is there, with that value if one is given; `delaySeconds` later. */
    exactly({
      /** By a key in the store. */
      when: z.literal('key'),
      /** Below `/local/domain/DOMID`. */
      key: key.default(READY_KEY),
      /** What it must say; anything where it is left out. */
      value: z
        .string({ error: () => 'a string' })
        .max(2048)
        .optional(),
      /** Seconds to wait after it is there. */
      delaySeconds: delaySeconds.default(0),
      /** Seconds for the whole boot. */
      timeoutSeconds,
    }),
    /** Something accepts TCP connections at its first address, or at `address`. */
    exactly({
      /** By a TCP port. */
      when: z.literal('port'),
      /** Its number. */
      port: portNumber,
      /** Where to connect to, if not at the service's first address. */
      address: ipAddress.optional(),
      /** Seconds for the whole boot. */
      timeoutSeconds,
    }),
    /** That long after the launch: no word of its own. */
    exactly({
      /** By the clock. */
      when: z.literal('delay'),
      /** Seconds after the launch. */
      delaySeconds,
      /** Seconds for the whole boot: more than the delay. */
      timeoutSeconds,
    }),
  ],
  { error: oneOf('when', '"conduit", "key", "port" or "delay"') },
)

const name = text(`a conduit name: ${NAME_RULE}; ${'"jitsud"'} is taken`, (given) => {
  const parsed = parseName(given)
  return parsed === undefined || isReservedName(parsed) ? undefined : parsed
})
const listOf = <T extends z.ZodType>(item: T, accepted: string) => z.array(item, { error: () => accepted })

/** RFC 6335 5.1: 1 to 15 letters, digits and single hyphens, a letter among them. */
const SERVICE_NAME = /^(?=.*[a-z])(?!.*--)[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/
const PORTS = 'an object of port numbers by service names in lower case, such as {"http": 8080}'

/** The shape of one service. */
export const serviceSchema = exactly({
  /** Its conduit name. */
  name,
  /** DNS names that summon it. */
  dns: listOf(dnsName, 'a list of DNS names').default([]),
  /** IP addresses that DNS answers, in this order. */
  addresses: listOf(ipAddress, 'a list of IP addresses').default([]),
  /** TCP ports by IANA's service names, such as `{ "http": 8080 }`, which DNS answers to SRV. */
  ports: z.record(z.string().regex(SERVICE_NAME, PORTS), portNumber, { error: () => PORTS }).default({}),
  /** How it is started. */
  launcher: launcherSchema,
  /** How it is known to be ready. */
  ready: readySchema.prefault({ when: 'conduit' }),
  /** When who asks is answered: `immediate` where an address is held, else `ready`. */
  reply: z.enum(['ready', 'started', 'immediate'], { error: () => '"ready", "started" or "immediate"' }).optional(),
  /** Seconds without use after which it is stopped; 0 for never. */
  idleSeconds: quantity('seconds, 0 for never,', 0, LONGEST_SECONDS).default(0),
  /** How it is stopped. */
  stop: z
    .enum(['destroy', 'shutdown', 'suspend'], { error: () => '"destroy", "shutdown" or "suspend"' })
    .default('destroy'),
  /** Seconds that it may take to stop before it is destroyed. */
  stopSeconds: quantity('seconds', 0.001, LONGEST_SECONDS).default(STOP_SECONDS),
  /** Instances to keep built beforehand, for launchers that can. */
  keepWarm: quantity('instances', 0, 1024).int('a whole number').default(0),
  /** TCP addresses that jitsud holds for it. */
  hold: listOf(holdSchema, 'a list of addresses to hold').default([]),
})
  .superRefine(({ ready, addresses }, context) => {
    if (ready.when === 'port' && ready.address === undefined && addresses.length === 0) {
      context.addIssue({
        code: 'custom',
        path: ['ready', 'address'],
        message: "an IP address to connect to, where the service has no 'addresses'",
        params: { problem: 'is missing' },
      })
    }
    if (ready.when === 'delay' && ready.delaySeconds >= ready.timeoutSeconds) {
      context.addIssue({
        code: 'custom',
        path: ['ready', 'timeoutSeconds'],
        message: `more than the delay of ${ready.delaySeconds} seconds`,
        params: { problem: `${ready.timeoutSeconds} is not accepted` },
      })
    }
  })
  // With a proxy in front there is somebody to connect to at once.
  .transform((service) => ({
    ...service,
    /** When who asks is answered. */
    reply: service.reply ?? (service.hold.length > 0 ? ('immediate' as const) : ('ready' as const)),
  }))

/** A service, with every default filled in. */
export type ServiceConfig = Readonly<z.output<typeof serviceSchema>>
/** How a service is known to be ready. */
export type ReadyConfig = ServiceConfig['ready']
