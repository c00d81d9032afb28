// Endpoints of every kind, for property tests.
import fc from 'fast-check'
import { parseName } from '../../protocol/conduit-name.js'
import { type Endpoint, REASON_CHARS, UNIX_PATH_BYTES } from '../../protocol/endpoint.js'
import { isHostName } from '../../protocol/host-name.js'
import { type Domid, domid } from '../../protocol/xen.js'

const text = (alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength })

const LOWER = 'abcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'

const hosts = (): fc.Arbitrary<string> =>
  fc
    .oneof(
      fc.domain().map((name) => name.toLowerCase()),
      fc.ipV4(),
      fc.ipV6(),
    )
    .filter((host) => host.length <= 253)

const paths = (): fc.Arbitrary<string> =>
  fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .map((rest) => `/${rest}`)
    .filter((path) => !path.includes('\0') && Buffer.byteLength(path) <= UNIX_PATH_BYTES)

const domids = (): fc.Arbitrary<Domid> => fc.integer({ min: 0, max: 0x7fef }).map(domid)
const names = (): fc.Arbitrary<string> => text(`${LOWER}${DIGITS}_-`, 1, 63).filter((name) => parseName(name) === name)

const plain = (): fc.Arbitrary<Endpoint> =>
  fc.oneof(
    fc.record({
      kind: fc.constant('tcp' as const),
      address: fc.oneof(fc.ipV4(), fc.ipV6()),
      port: fc.integer({ min: 1, max: 65535 }),
    }),
    fc.record({ kind: fc.constant('unix' as const), path: paths() }),
    fc.record({
      kind: fc.constant('vchan-direct' as const),
      domid: domids(),
      port: text(`${LOWER}${LOWER.toUpperCase()}${DIGITS}_-`, 1, 63),
    }),
    fc.record({
      kind: fc.constant('vchan-name' as const),
      name: names(),
      port: fc.option(text(`${LOWER}${DIGITS}_-`, 1, 63), { nil: undefined }),
    }),
    fc.record({
      kind: fc.constant('unknown' as const),
      reason: fc.string({ unit: 'binary', maxLength: REASON_CHARS / 2 }),
    }),
  )

/** Any endpoint, up to three layers of TLS around it. */
export const endpoints = (): fc.Arbitrary<Endpoint> =>
  fc
    .tuple(
      fc.array(
        hosts().filter((host) => isHostName(host) || host.includes(':')),
        { maxLength: 3 },
      ),
      plain(),
    )
    .map(([layers, bottom]) => layers.reduce<Endpoint>((over, host) => ({ kind: 'tls', host, over }), bottom))
