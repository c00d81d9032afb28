// The typed face of the addon, and the only file that loads it. Descriptors are plain numbers here; who owns one
// is said by whoever holds it.
import { createRequire } from 'node:module'
import { ConduitError, type ConduitErrorCode } from './errors.js'
import { buildHint, nativeFile, packageRoot } from './native-file.js'

/** Pages of shared memory as one ArrayBuffer (addon/mapping.h). */
export interface NativeMapping {
  /** The live buffer; of byteLength 0 once closed. */
  readonly buffer: ArrayBuffer
  /** Detach the buffer and make a new one over the same pages. */
  renew(): void
  /** Detach, then unmap. Idempotent. */
  close(): void
}

/** Wake-ups as the addon numbers them (addon/fd_watcher.cc). */
export const NativeWake = { EVENT: 0, MOVED: 1, IDLE: 2 } as const

/** libuv's poll events (uv.h, enum uv_poll_event). */
export const PollEvent = { READABLE: 1, WRITABLE: 2, DISCONNECT: 4, PRIORITIZED: 8 } as const

/** States of a TCP connection that its holder may find it in (netinet/tcp.h). */
export const TcpState = { ESTABLISHED: 1, CLOSED: 7, CLOSE_WAIT: 8 } as const

/** A poll on the environment's own loop (addon/fd_watcher.h). Close it before its descriptor. */
export interface NativeFdWatcher {
  start(events: number): void
  spinOn(mapping: NativeMapping, offset0: number, offset1: number, state: Int32Array): void
  spin(micros: number): boolean
  ref(): void
  unref(): void
  close(): void
}

/** A datagram that has arrived. */
export interface NativeMessage {
  /** 0 at the end. */
  readonly bytes: number
  /** The receiver owns them. */
  readonly fds: number[]
  /** Descriptors came along and this process may open no more: it has none of them. */
  readonly fdsLost: boolean
}

/** What the addon exports. Failing system calls throw Error with `code`, `errno`, `syscall`. */
export interface Native {
  Mapping: new (segments: Float64Array, writable: boolean) => NativeMapping
  FdWatcher: new (
    fd: number,
    drainsEventfd: boolean,
    callback: (wake: number, events: number) => number,
  ) => NativeFdWatcher
  memfdCreate(name: string, bytes: number): number
  sealedBytes(fd: number): number
  eventfdCreate(): number
  eventfdNotify(fd: number): void
  unixListen(path: string, stream: boolean): number
  unixConnect(path: string): number
  unixAccept(fd: number): number
  socketPair(stream: boolean): [number, number]
  sendMessage(fd: number, bytes: Uint8Array, fds: readonly number[]): boolean
  receiveMessage(fd: number, target: Uint8Array): NativeMessage | null
  /** One datagram to a path, or to `@NAME` of the abstract namespace; false when the receiver's queue is full. */
  unixSendTo(name: string, bytes: Uint8Array): boolean
  peerCredentials(fd: number): { pid: number; uid: number; gid: number }
  /** `address` is an IP literal; port 0 for one of the kernel's choice. */
  tcpListen(address: string, port: number, backlog: number): number
  /** -1 when nobody waits. */
  tcpAccept(fd: number): number
  tcpLocalPort(fd: number): number
  /** A {@link TcpState}, or another one of the kernel's. */
  tcpState(fd: number): number
  /** At once, whoever else holds it. */
  tcpReset(fd: number): void
  /** Whether the last close, by whichever process, is a reset. */
  resetOnClose(fd: number, resets: boolean): void
  tryLock(fd: number): boolean
  duplicate(fd: number): number
  closeFd(fd: number): void
  /** Whoever takes the descriptor over closes it: the end of this environment does not. */
  releaseFd(fd: number): void
  /** For reading and writing, non-blocking. */
  deviceOpen(path: string): number
  /** -1 when there is nothing yet. */
  readBytes(fd: number, target: Uint8Array): number
  /** -1 when nothing can be taken yet. */
  writeBytes(fd: number, bytes: Uint8Array): number
  /** Record references of a domain at gntdev. Returns the byte offset to map: only that asks the hypervisor. */
  gntdevMap(fd: number, domid: number, grefs: Uint32Array): number
  gntdevUnmap(fd: number, index: number, pages: number): void
  /** Pages for a domain at gntalloc: the byte offset to map, then one reference a page. */
  gntallocAllocate(fd: number, domid: number, pages: number, writable: boolean): [number, ...number[]]
  gntallocRelease(fd: number, index: number, pages: number): void
  /** Of gntdev or gntalloc: clear the byte at that offset and kick the port when its page is unmapped. */
  setUnmapNotify(fd: number, index: number, port: number): void
  /** A port that only this domain may bind. */
  evtchnListen(fd: number, domid: number): number
  evtchnBind(fd: number, domid: number, port: number): number
  evtchnUnbind(fd: number, port: number): void
  /** Drops the kick where it cannot arrive. */
  evtchnNotify(fd: number, port: number): void
  /** Empty the queue of ports, and its overflow. */
  evtchnReset(fd: number): void
}

function load(): Native {
  const root = packageRoot()
  const path = nativeFile(root)
  try {
    return createRequire(import.meta.url)(path) as Native
  } catch (cause) {
    const message = `${path} does not load: ${(cause as Error).message}`
    const hint = path === process.env.CONDUIT_ADDON ? "unset CONDUIT_ADDON to use the package's own" : buildHint(root)
    throw new ConduitError('ADDON_MISSING', message, { hint, cause })
  }
}

let loaded: Native | undefined

/**
 * The addon, loaded on first use.
 * @throws ConduitError ADDON_MISSING
 */
export function native(): Native {
  loaded ??= load()
  return loaded
}

const EMFILE_HINTS: Partial<Record<string, string>> = {
  EMFILE: 'this process has too many files open: close some, or raise its limit (ulimit -n; LimitNOFILE= of a service)',
  ENFILE: 'this machine has too many files open: raise the sysctl fs.file-max',
}

/** Wrap what the kernel refused, once, with what was tried. Out of descriptors is EMFILE, whatever `code` says. */
export function systemError(cause: unknown, tried: string, code: ConduitErrorCode = 'SYSTEM'): ConduitError {
  const { code: errno, syscall, message } = cause as NodeJS.ErrnoException
  const hint = EMFILE_HINTS[errno ?? '']
  return new ConduitError(hint === undefined ? code : 'EMFILE', `${tried}: ${message}`, { errno, syscall, hint, cause })
}

/** Descriptors were sent to this process, which had no room for them. */
export function descriptorsLost(tried: string): ConduitError {
  const cause = Object.assign(new Error('no room for the descriptors received'), { code: 'EMFILE', syscall: 'recvmsg' })
  return systemError(cause, tried)
}
