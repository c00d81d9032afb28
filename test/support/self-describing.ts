// Messages that say how long they are and what is in them, so that a receiver knows whether it has all of one.
const HEADER_BYTES = 8
/** A little over twice the ring of 4 KiB that they are sent through: from one byte in it to round it twice. */
const BODY_BYTES_MAX = 9000

/** The message of this number: u32 length of the body, u32 number, body. */
export function selfDescribing(number: number): Buffer {
  const bodyBytes = (number * 7919) % BODY_BYTES_MAX
  const message = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes)
  message.writeUInt32LE(bodyBytes, 0)
  message.writeUInt32LE(number, 4)
  for (let at = 0; at < bodyBytes; at++) message[HEADER_BYTES + at] = (number + at) & 0xff
  return message
}

/** Why `received` is not one whole message, or undefined when it is. */
export function messageFault(received: Buffer): string | undefined {
  if (received.length < HEADER_BYTES) return `${received.length} bytes are less than a header`
  const number = received.readUInt32LE(4)
  const whole = selfDescribing(number)
  if (received.length !== whole.length) return `message ${number}: ${received.length} of ${whole.length} bytes`
  return received.equals(whole) ? undefined : `message ${number}: other bytes than were sent`
}
