// When a channel spins before it sleeps, as experience tells: the policy alone, without a clock.
import { expect } from 'chai'
import { SpinPolicy } from '../../src/vchan/spin-policy.js'

/** Waits until the policy asks for a spin again, that one included. */
function waitsUntilSpin(policy: SpinPolicy): number {
  for (let waits = 1; ; waits++) if (policy.micros() > 0) return waits
}

/** Spin in vain until it gives up. */
function discourage(policy: SpinPolicy): number {
  for (let misses = 0; ; misses++) {
    if (policy.micros() === 0) return misses
    policy.miss()
  }
}

describe('spin policy', () => {
  it('spins at first, and gives up after a few misses', () => {
    expect(discourage(new SpinPolicy(undefined, 50))).to.be.within(1, 8)
  })

  it('spins as long as waking a peer costs, and takes a sleep of three of that for a hint', () => {
    const policy = new SpinPolicy(undefined, 200)
    expect(policy.micros()).to.equal(200)
    discourage(policy)
    waitsUntilSpin(policy)
    policy.miss()
    const without = waitsUntilSpin(policy)
    policy.miss()
    for (let sleep = 0; sleep < 4; sleep++) policy.slept(500)
    expect(waitsUntilSpin(policy)).to.be.below(2 * without)
    expect(new SpinPolicy(undefined, 50).micros()).to.equal(50)
  })

  it('goes on as long as spinning meets the peer', () => {
    const policy = new SpinPolicy(undefined, 50)
    for (let i = 0; i < 100; i++) {
      expect(policy.micros()).to.be.above(0)
      policy.hit()
    }
  })

  it('tries again now and then, more rarely the longer it is in vain', () => {
    const policy = new SpinPolicy(undefined, 50)
    discourage(policy)
    const pauses = Array.from({ length: 8 }, () => {
      const waits = waitsUntilSpin(policy)
      policy.miss()
      return waits
    })
    for (let i = 1; i < pauses.length; i++) expect(pauses[i]).to.be.at.least(pauses[i - 1]!)
    expect(pauses[1]).to.be.above(pauses[0]!)
    expect(pauses.at(-1)).to.be.at.most(1024)
  })

  it('spins again at once after one trial that met the peer', () => {
    const policy = new SpinPolicy(undefined, 50)
    discourage(policy)
    waitsUntilSpin(policy)
    policy.hit()
    expect(waitsUntilSpin(policy)).to.equal(1)
  })

  it('takes short sleeps for a hint and long ones for none', () => {
    const [short, long] = [new SpinPolicy(undefined, 50), new SpinPolicy(undefined, 50)]
    discourage(short)
    discourage(long)
    for (let i = 0; i < 3; i++) {
      short.slept(20)
      long.slept(5000)
    }
    expect(waitsUntilSpin(short)).to.be.below(waitsUntilSpin(long))
  })

  it('leaves off for long when others need the CPU, and longer when they still do', () => {
    const policy = new SpinPolicy(undefined, 50)
    policy.hit()
    policy.crowded()
    const first = waitsUntilSpin(policy)
    expect(first).to.be.above(100)
    policy.crowded()
    expect(waitsUntilSpin(policy)).to.be.above(first)
    policy.hit()
    expect(waitsUntilSpin(policy)).to.equal(1)
  })

  it('does not let short sleeps talk it into spinning where others need the CPU', () => {
    const policy = new SpinPolicy(undefined, 50)
    policy.crowded()
    for (let i = 0; i < 10; i++) {
      policy.slept(20)
      expect(policy.micros()).to.equal(0)
    }
  })

  it('asks for the number it was given, whatever comes of it', () => {
    const never = new SpinPolicy(0, 50)
    for (let i = 0; i < 100; i++) {
      expect(never.micros()).to.equal(0)
      never.slept(1)
    }
  })

  it('refuses numbers that are no microseconds', () => {
    for (const micros of [-1, 1.5, 1001, Number.NaN]) expect(() => new SpinPolicy(micros, 50)).to.throw(RangeError)
  })
})
