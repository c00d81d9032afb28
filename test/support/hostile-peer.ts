// What a peer can do that does not play by the rules: write anything anywhere in the control page, and kick.
import type { VchanChannel } from '../../src/vchan/channel.js'
import type { ChannelParts } from '../../src/vchan/channel-parts.js'

const partsOf = (channel: VchanChannel): ChannelParts => (channel as unknown as { parts: ChannelParts }).parts

/** The live control page as this end has it mapped. */
export const pageOf = (channel: VchanChannel): Uint8Array => new Uint8Array(partsOf(channel).control.buffer, 0, 4096)

export const pokeU32 = (channel: VchanChannel, offset: number, value: number): void => {
  new DataView(partsOf(channel).control.buffer).setUint32(offset, value, true)
}

/** Kick the other end, whatever it asked for. */
export const kick = (channel: VchanChannel): void => partsOf(channel).event.notify()
