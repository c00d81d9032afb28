// DNS in bytes, pure: names, records, messages, the numbers. Re-exports, nothing else. Nothing here throws on what came in.
export * from './dns-frames.js'
export * from './dns-message.js'
export * from './dns-name.js'
export * from './dns-name-key.js'
export * from './dns-records.js'
export type { SvcbData } from './dns-svcb.js'
export * from './dns-types.js'
export { DnsWriter } from './dns-writer.js'
