// Resource records to bytes: the other half of dns-records.ts.
import { type AddressRecord, type DnsRecord, recordCode, type SoaRecord } from './dns-records.js'
import { writeSvcb } from './dns-svcb.js'
import { DNS_CLASS_IN } from './dns-types.js'
import type { DnsWriter } from './dns-writer.js'
import { ipBytes } from './ip-address.js'

/** @throws RangeError for a name, an address or a text that cannot be one */
export function writeRecord(writer: DnsWriter, record: DnsRecord): void {
  writer.name(record.name)
  writer.u16(recordCode(record))
  writer.u16(record.type === 'OTHER' ? record.class : DNS_CLASS_IN)
  writer.u32(record.ttl)
  writer.counted(() => writeData(writer, record))
}

function writeData(writer: DnsWriter, record: DnsRecord): void {
  switch (record.type) {
    case 'A':
    case 'AAAA':
      writer.bytes(addressBytes(record))
      break
    case 'CNAME':
    case 'PTR':
    case 'NS':
      writer.name(record.target)
      break
    case 'TXT':
      for (const text of record.texts) writeText(writer, text)
      break
    case 'SRV':
      for (const value of [record.priority, record.weight, record.port]) writer.u16(value)
      // Never compressed (RFC 2782, "Target").
      writer.plainName(record.target)
      break
    case 'SVCB':
    case 'HTTPS':
      writeSvcb(writer, record)
      break
    case 'SOA':
      writeSoa(writer, record)
      break
    case 'OTHER':
      writer.bytes(record.data)
      break
  }
}

function writeText(writer: DnsWriter, text: Buffer): void {
  if (text.length > 255) throw new RangeError(`a text of ${text.length} bytes does not fit into a TXT string`)
  writer.u8(text.length)
  writer.bytes(text)
}

function writeSoa(writer: DnsWriter, record: SoaRecord): void {
  writer.name(record.primary)
  writer.name(record.mailbox)
  for (const value of [record.serial, record.refresh, record.retry, record.expire, record.minimum]) writer.u32(value)
}

function addressBytes(record: AddressRecord): Uint8Array {
  const bytes = ipBytes(record.address)
  if (bytes?.length !== (record.type === 'A' ? 4 : 16)) {
    throw new RangeError(`${record.address} is no address of type ${record.type}`)
  }
  return bytes
}
