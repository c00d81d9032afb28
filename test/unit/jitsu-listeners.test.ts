// How what listens is replaced: the old goes when the new is there, and what cannot be opened takes nothing away.
import { expect } from 'chai'
import { Listeners } from '../../src/jitsu/listeners.js'
import { rejectionOf } from '../support/expect-rejection.js'

interface Config {
  readonly address: string
  readonly ttl: number
}

/** Addresses that can be had once; what happens is written down. */
function world() {
  const happened: string[] = []
  const taken = new Set<string>()
  const broken = new Set<string>()
  const said = ({ address, ttl }: Config): string => `${address}${ttl}`
  const listeners = new Listeners<Config, { config: Config; close(): Promise<void> }>({
    open: async (config) => {
      if (broken.has(said(config)) || taken.has(config.address)) throw new Error(`${said(config)} is taken`)
      if (config.address !== '*') taken.add(config.address)
      happened.push(`+${said(config)}`)
      let open = true
      const close = async (): Promise<void> => {
        taken.delete(config.address)
        if (open) happened.push(`-${said(config)}`)
        open = false
      }
      return { config, close }
    },
    collide: (first, second) => first.address === second.address && first.address !== '*',
  })
  const serving = (): string => listeners.parts.map(({ config }) => said(config)).join(' ')
  /** `a1 b2`: address and ttl of each. */
  const prepare = (text: string) =>
    listeners.prepare(
      text
        .split(' ')
        .filter((word) => word !== '')
        .map((word) => ({ address: word[0]!, ttl: Number(word.slice(1)) })),
    )
  const change = async (text: string): Promise<void> => (await prepare(text)).commit()
  return { listeners, happened, taken, broken, serving, prepare, change }
}

describe('what listens and is configured anew', () => {
  it('goes on untouched when nothing of it has changed', async () => {
    const { change, listeners, happened } = world()
    await change('a1 b1')
    const { parts } = listeners
    await change('b1 a1 c1')
    expect(listeners.parts).to.include.members([...parts])
    expect(happened).to.deep.equal(['+a1', '+b1', '+c1'])
  })

  it('is there anew before the old goes', async () => {
    const { change, happened } = world()
    await change('a1')
    await change('b1')
    expect(happened).to.deep.equal(['+a1', '+b1', '-a1'])
  })

  it('goes first where both have one address', async () => {
    const { change, happened, serving } = world()
    await change('a1 b1')
    await change('a2 b1')
    expect([happened, serving()]).to.deep.equal([['+a1', '+b1', '-a1', '+a2'], 'b1 a2'])
  })

  it('stays when something new cannot be', async () => {
    const { change, taken, happened, serving } = world()
    await change('a1')
    taken.add('c')
    expect(await rejectionOf(change('b1 c1'))).to.have.property('message', 'c1 is taken')
    expect([serving(), happened]).to.deep.equal(['a1', ['+a1', '+b1', '-b1']])
  })

  it('comes back when the new at its address cannot be', async () => {
    const { change, broken, serving, taken } = world()
    await change('a1 b1')
    broken.add('a2')
    expect(await rejectionOf(change('a2 b1 c1'))).to.have.property('message', 'a2 is taken')
    expect([serving(), [...taken].sort()]).to.deep.equal(['b1 a1', ['a', 'b']])
    await change('a3')
    expect(serving()).to.equal('a3')
  })

  it('leaves nothing of a change that is abandoned', async () => {
    const { change, prepare, serving, taken } = world()
    await change('a1')
    await (await prepare('b1 a2')).abandon()
    expect([serving(), [...taken]]).to.deep.equal(['a1', ['a']])
  })

  it('is counted: two that are alike are two', async () => {
    const { change, serving, happened } = world()
    await change('*0 *0')
    await change('*0')
    expect([serving(), happened]).to.deep.equal(['*0', ['+*0', '+*0', '-*0']])
  })

  it('is the same when what changed is not what it is', async () => {
    const happened: string[] = []
    const open = async ({ name }: { name: string; place: number }) => {
      happened.push(name)
      return { close: async () => undefined }
    }
    const listeners = new Listeners({ open, collide: () => false, identity: ({ name }) => name })
    await (await listeners.prepare([{ name: 'a', place: 0 }])).commit()
    await (await listeners.prepare([{ name: 'a', place: 1 }])).commit()
    expect(happened).to.deep.equal(['a'])
  })

  it('goes when it is configured no more, and is closed twice without harm', async () => {
    const { change, serving, taken, listeners } = world()
    await change('a1')
    await change('')
    expect([serving(), taken.size]).to.deep.equal(['', 0])
    await change('a1')
    await listeners.close()
    await listeners.close()
    expect(taken.size).to.equal(0)
  })
})
