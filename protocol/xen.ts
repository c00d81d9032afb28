// Xen's numbers as types: a domid is not a port and a port is not a grant reference.
// Ranges are those of the hypervisor's public headers; nothing here touches a device.

declare const brand: unique symbol
/** A number of one kind, which no other kind can stand in for. */
export type Branded<Name extends string> = number & {
  /** For the compiler alone: no value has it. */
  readonly [brand]: Name
}

/** A domain's number, 0…0x7FEF (`xen/include/public/xen.h`, DOMID_FIRST_RESERVED is 0x7FF0). */
export type Domid = Branded<'domid'>
/** A grant reference, at least 8: 0…7 are reserved (`xen/include/public/grant_table.h`, GNTTAB_NR_RESERVED_ENTRIES). */
export type Gref = Branded<'gref'>
/** An event channel port, at least 1: port 0 is never valid (`xen/include/public/event_channel.h`). */
export type EvtchnPort = Branded<'port'>

/** Bytes in a page (`xen/include/public/arch-x86/xen.h`, PAGE_SIZE; arm64 guests grant 4 KiB pages as well). */
export const PAGE_BYTES = 4096
/** First domid that names no domain (`xen/include/public/xen.h`). */
export const DOMID_FIRST_RESERVED = 0x7ff0
/** Lowest grant reference that a peer may hand out (`xen/include/public/grant_table.h`). */
export const GREF_FIRST = 8
const U32_MAX = 0xffffffff

export const isDomid = (value: number): value is Domid =>
  Number.isInteger(value) && value >= 0 && value < DOMID_FIRST_RESERVED
export const isGref = (value: number): value is Gref =>
  Number.isInteger(value) && value >= GREF_FIRST && value <= U32_MAX
export const isEvtchnPort = (value: number): value is EvtchnPort =>
  Number.isInteger(value) && value >= 1 && value <= U32_MAX

/** @throws RangeError when `value` is no domid. */
export function domid(value: number): Domid {
  if (!isDomid(value)) throw new RangeError(`domid ${value} is not an integer in 0…${DOMID_FIRST_RESERVED - 1}`)
  return value
}

/** @throws RangeError when `value` is no grant reference. */
export function gref(value: number): Gref {
  if (!isGref(value)) throw new RangeError(`grant reference ${value} is not an integer in ${GREF_FIRST}…${U32_MAX}`)
  return value
}

/** @throws RangeError when `value` is no event channel port. */
export function evtchnPort(value: number): EvtchnPort {
  if (!isEvtchnPort(value)) throw new RangeError(`event channel port ${value} is not an integer in 1…${U32_MAX}`)
  return value
}
