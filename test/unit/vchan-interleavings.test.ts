// Every order in which the two ends can take their atomic steps, for rings of one and two bytes: the real channel code.
import { expect } from 'chai'
import { isConduitError } from '../../src/errors.js'
import { VchanChannel } from '../../src/vchan/channel.js'
import { type End, type Exploration, explore, type Program } from '../support/interleavings.js'

interface Transfer {
  readonly received: readonly number[]
  readonly inbound: string
}

/** Writes 1…count as the ring takes them, then does what comes last. */
const writer =
  (count: number, last: (channel: VchanChannel) => void, spinMicros = 0): Program =>
  (end) => {
    const channel = VchanChannel.over(end.parts, spinMicros)
    const data = Uint8Array.from({ length: count }, (_, i) => i + 1)
    let sent = 0
    const pump = (): void => {
      if (sent < count) sent += channel.write(data.subarray(sent))
    }
    channel.onWake(pump)
    pump()
    end.tick()
    while (sent < count) end.sleep(channel, () => sent)
    last(channel)
    end.tick()
    return sent
  }

/** Reads until `count` bytes came or the direction is over. */
const reader =
  (count: number, spinMicros = 0): Program =>
  (end): Transfer => {
    const channel = VchanChannel.over(end.parts, spinMicros)
    const received: number[] = []
    const target = new Uint8Array(2)
    const pump = (): void => {
      for (let n = channel.read(target); n > 0; n = channel.read(target)) received.push(...target.subarray(0, n))
    }
    const done = (): boolean => received.length >= count || channel.inbound !== 'open'
    channel.onWake(pump)
    try {
      pump()
      end.tick()
      while (!done()) end.sleep(channel, () => received)
    } catch (error) {
      // A client that was killed on its way here fails the channel.
      if (isConduitError(error, 'ECONNRESET')) return { received, inbound: 'reset' }
      throw error
    }
    return { received, inbound: channel.inbound }
  }

/** Rings of one byte: every byte wraps, and every second one waits. */
const TINY = { left: 0, right: 0 }
const nothing = (): void => {}
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

function visit(name: string, exploration: Omit<Exploration, 'onOutcome'>, check: Exploration['onOutcome']): void {
  it(name, function () {
    this.timeout(120_000)
    const { states, outcomes } = explore({ ...exploration, onOutcome: check })
    expect(outcomes).to.be.greaterThan(0)
    this.test!.title += ` (${states} states)`
  })
}

describe('every interleaving of both ends', () => {
  for (const spinMicros of [0, 10]) {
    const spinning = spinMicros > 0 ? ', spinning' : ''
    visit(
      `I3, I5: two bytes go through a ring of one, and nobody sleeps for ever${spinning}`,
      { client: writer(2, nothing, spinMicros), server: reader(2, spinMicros), orders: TINY },
      ({ server }) => {
        expect((server as Transfer).received).to.deep.equal(upTo(2))
      },
    )
    visit(
      `I3, I5: a byte and its answer go round twice${spinning}`,
      { client: asker(2, spinMicros), server: echo(2, spinMicros) },
      ({ client }) => {
        expect(client).to.deep.equal([1, 2])
      },
    )
  }

  visit(
    'I3, I5: three bytes go through a ring of two, and nobody sleeps for ever',
    { client: writer(3, nothing), server: reader(3) },
    ({ server }) => {
      expect((server as Transfer).received).to.deep.equal(upTo(3))
    },
  )
  visit(
    'I3: indices wrap at 2^32 without a trace',
    { client: writer(2, nothing), server: reader(2), orders: TINY, startIndex: 0xffff_ffff },
    ({ server }) => {
      expect((server as Transfer).received).to.deep.equal(upTo(2))
    },
  )
  visit(
    'I6, I8: bytes written just before end() come before the end',
    { client: writer(2, (channel) => channel.end()), server: reader(Infinity), orders: TINY },
    ({ server }) => {
      expect(server).to.deep.equal({ received: upTo(2), inbound: 'ended' })
    },
  )
  visit(
    'I8: a peer that ends and then closes has ended, whichever is seen first',
    {
      client: writer(1, (channel) => {
        channel.end()
        void channel.close()
      }),
      server: reader(Infinity),
      orders: TINY,
    },
    ({ server }) => {
      expect(server).to.deep.equal({ received: [1], inbound: 'ended' })
    },
  )
  visit(
    'I6: bytes written just before close() come before the reset',
    { client: writer(2, (channel) => void channel.close()), server: reader(Infinity), orders: TINY },
    ({ server }) => {
      expect(server).to.deep.equal({ received: upTo(2), inbound: 'reset' })
    },
  )
  visit(
    'I6, I8: a peer without end marks that closes ends its direction, after its last byte',
    { client: writer(2, (channel) => void channel.close()), server: reader(Infinity), orders: TINY, endMarks: false },
    ({ server }) => {
      expect(server).to.deep.equal({ received: upTo(2), inbound: 'ended' })
    },
  )
  visit(
    'I6, I8: a peer killed at any step leaves what it had published, then a reset, or an end if it had ended',
    { client: writer(2, (channel) => channel.end()), server: reader(Infinity), orders: TINY, kill: 'client' },
    ({ server, shared, killed }) => {
      const { received, inbound } = server as Transfer
      const prod = new DataView(shared.page.buffer).getUint32(4, true)
      expect(received).to.deep.equal(upTo(prod))
      const ended = shared.page[28] === 2
      if (killed) expect(inbound).to.equal(ended ? 'ended' : 'reset')
      else expect(inbound).to.equal('ended')
    },
  )
})

function asker(rounds: number, spinMicros: number): Program {
  return (end: End) => {
    const channel = VchanChannel.over(end.parts, spinMicros)
    const answers: number[] = []
    const byte = new Uint8Array(1)
    const ask = (): void => {
      while (answers.length < rounds && channel.read(byte) === 1) {
        answers.push(byte[0]!)
        if (answers.length < rounds) channel.write(Uint8Array.of(answers.length + 1))
      }
    }
    channel.onWake(ask)
    channel.write(Uint8Array.of(1))
    ask()
    end.tick()
    while (answers.length < rounds) end.sleep(channel, () => answers)
    return answers
  }
}

function echo(rounds: number, spinMicros: number): Program {
  return (end: End) => {
    const channel = VchanChannel.over(end.parts, spinMicros)
    let echoed = 0
    const byte = new Uint8Array(1)
    const answer = (): void => {
      while (echoed < rounds && channel.read(byte) === 1) echoed += channel.write(byte)
    }
    channel.onWake(answer)
    answer()
    end.tick()
    while (echoed < rounds) end.sleep(channel, () => echoed)
    return echoed
  }
}
