// The numbers of this folder as a C header, for peers that are not written in TypeScript: one source of truth. Only macros
// and integer constants, so that freestanding code can include it. Makes the text; conduit-protocol.h is kept beside this file.
import {
  CONDUIT_ROOT,
  DIRECT_PATH_CHARS,
  DOMAINS_ROOT,
  EVENT_CHANNEL_KEY,
  FLOWS_ROOT,
  HOST_ID_PATH,
  MAILBOX_RELATIVE,
  RING_REF_KEY,
  VCHAN_RELATIVE,
} from './conduit-paths.js'
import * as control from './local-control.js'
import * as page from './vchan-page.js'
import { DOMID_FIRST_RESERVED, GREF_FIRST, PAGE_BYTES } from './xen.js'
import { XENSTORE_ABSOLUTE_PATH_MAX, XENSTORE_RELATIVE_PATH_MAX } from './xenstore-paths.js'
import { XENSTORE_FEATURES, XENSTORE_HEADER_BYTES, XENSTORE_PAYLOAD_MAX, XENSTORE_TYPES } from './xenstore-wire.js'

interface Section {
  readonly title: string
  /** What the numbers are taken from. */
  readonly source: string
  readonly values: readonly (readonly [name: string, value: number | string])[]
}

/** `{ LEFT_CONS: 0 }` as `PREFIX_LEFT_CONS`. */
const each = (prefix: string, values: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(values).map(([name, value]) => [`${prefix}_${macroCase(name)}`, value])

const macroCase = (name: string): string => name.replaceAll(/([a-z])([A-Z])/g, '$1_$2').toUpperCase()

const XEN: Section = {
  title: "Xen's numbers",
  source: 'xen/include/public/{xen,grant_table}.h; protocol/xen.ts',
  values: [
    ['PAGE_BYTES', PAGE_BYTES],
    ['DOMID_FIRST_RESERVED', DOMID_FIRST_RESERVED],
    ['GREF_FIRST', GREF_FIRST],
  ],
}

const VCHAN: readonly Section[] = [
  {
    title: 'Byte offsets in the vchan control page',
    source: 'xen/include/public/io/libxenvchan.h, struct vchan_interface; protocol/vchan-page.ts',
    values: each('VCHAN_OFFSET', page.OFFSET),
  },
  {
    title:
      'Notify bits, live bytes, ring orders: 1 << order bytes, below ORDER_PAGE in the control page at that offset',
    source: 'xen/include/public/io/libxenvchan.h, xen:tools/libs/vchan/init.c; protocol/vchan-page.ts',
    values: [
      ...each('VCHAN_NOTIFY', page.NOTIFY),
      ...each('VCHAN_LIVE', page.LIVE),
      ...each('VCHAN_ORDER', page.ORDER),
    ],
  },
  {
    title: 'End marks: 8 bytes behind the grant list, on the next 8-byte boundary',
    source: 'protocol/vchan.md, End marks; protocol/vchan-page.ts',
    values: [
      ...each('VCHAN_END_MARK', page.END_MARK),
      ['VCHAN_END_MARK_MAGIC', page.END_MARK_MAGIC],
      ['VCHAN_END_MARK_VERSION', page.END_MARK_VERSION],
      ...each('VCHAN_END_STATE', page.END_STATE),
    ],
  },
]

const XENSTORE: readonly Section[] = [
  {
    title: 'Message types of the xenstore wire',
    source: 'xen/include/public/io/xs_wire.h; protocol/xenstore-wire.ts',
    values: each('XS_TYPE', XENSTORE_TYPES),
  },
  {
    title: 'Limits and feature bits of the xenstore wire; its header is u32 type, req_id, tx_id, len',
    source: 'xen/include/public/io/xs_wire.h; protocol/xenstore-wire.ts, protocol/xenstore-paths.ts',
    values: [
      ['XS_HEADER_BYTES', XENSTORE_HEADER_BYTES],
      ['XS_PAYLOAD_MAX', XENSTORE_PAYLOAD_MAX],
      ['XS_ABSOLUTE_PATH_MAX', XENSTORE_ABSOLUTE_PATH_MAX],
      ['XS_RELATIVE_PATH_MAX', XENSTORE_RELATIVE_PATH_MAX],
      ...each('XS_FEATURE', XENSTORE_FEATURES),
    ],
  },
]

const PATHS: Section = {
  title: "Places in xenstore; RELATIVE is below the domain's own path, libxenvchan cuts off after DIRECT_PATH_CHARS",
  source: 'docs/architecture.md; protocol/conduit-paths.ts',
  values: [
    ['PATH_ROOT', CONDUIT_ROOT],
    ['PATH_DOMAINS', DOMAINS_ROOT],
    ['PATH_HOST_ID', HOST_ID_PATH],
    ['PATH_FLOWS', FLOWS_ROOT],
    ['RELATIVE_MAILBOX', MAILBOX_RELATIVE],
    ['RELATIVE_VCHAN', VCHAN_RELATIVE],
    ['KEY_RING_REF', RING_REF_KEY],
    ['KEY_EVENT_CHANNEL', EVENT_CHANNEL_KEY],
    ['DIRECT_PATH_CHARS', DIRECT_PATH_CHARS],
  ],
}

const CONTROL: readonly Section[] = [
  {
    title: 'Control protocol of the local hypervisor: u16 type, u16 status, u32 sequence, u32 words',
    source: 'protocol/local-control.ts',
    values: [
      ['CONTROL_VERSION', control.CONTROL_VERSION],
      ['CONTROL_HEADER_BYTES', control.CONTROL_HEADER_BYTES],
      ['CONTROL_MAX_BYTES', control.MAX_CONTROL_BYTES],
      ['CONTROL_MAX_MAP_GREFS', control.MAX_MAP_GREFS],
      ['CONTROL_NONE', control.NONE],
      ...each('CONTROL_TYPE', control.ControlType),
      ...each('CONTROL_STATUS', control.ControlStatus),
    ],
  },
  {
    title: 'Names in the runtime directory; a DOMAIN_STORE is followed by the domid',
    source: 'protocol/local-control.ts',
    values: [
      ['CONTROL_SOCKET_NAME', control.CONTROL_SOCKET_NAME],
      ['XENSTORE_SOCKET_NAME', control.XENSTORE_SOCKET_NAME],
      ['DOMAIN_STORE_PREFIX', control.DOMAIN_STORE_PREFIX],
      ['LOCK_FILE_NAME', control.LOCK_FILE_NAME],
    ],
  },
]

const HEAD = `/*
 * Conduit's protocols in numbers. Made by protocol/c-header.ts from the files named here (npm run protocol:header): change
 * those. Integers and strings only: freestanding C can include it.
 */
#ifndef CONDUIT_PROTOCOL_H
#define CONDUIT_PROTOCOL_H
`

/** The header's whole text. */
export function cHeader(): string {
  const sections = [XEN, ...VCHAN, ...XENSTORE, PATHS, ...CONTROL]
  return [HEAD, ...sections.map(sectionText), '#endif\n'].join('\n')
}

/** Every macro with its value, as C sees it. */
export const cHeaderValues = (): ReadonlyMap<string, number | string> =>
  new Map(
    [XEN, ...VCHAN, ...XENSTORE, PATHS, ...CONTROL].flatMap(({ values }) =>
      values.map(([name, value]) => [`CONDUIT_${name}`, value] as const),
    ),
  )

function sectionText({ title, source, values }: Section): string {
  const lines = values.map(([name, value]) => `#define CONDUIT_${name} ${literal(value)}`)
  return `/*\n * ${title}.\n * ${source}\n */\n${lines.join('\n')}\n`
}

/** Unsigned where an int would be too small. */
const literal = (value: number | string): string =>
  typeof value === 'string' ? JSON.stringify(value) : value > 0x7fffffff ? `0x${value.toString(16)}u` : String(value)
