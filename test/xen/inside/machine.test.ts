// The machine itself: Debian's C library talks over a live hypervisor, in dom0 and with guests of both kinds, and guests
// come, work and go as tests need it.
import { expect } from 'chai'
import { Guest, type GuestType, here, nodeAppears, openStore } from '../../support/xen-machine.js'

async function exchange(server: { printed(pattern: RegExp): Promise<unknown> }, client: string): Promise<string> {
  await server.printed(/listening/)
  const { status, output, errors } = await here.run(client)
  expect(status, errors).to.equal(0)
  return output.trim()
}

describe('the machine', () => {
  it('lets two C programs in dom0 talk through libxenvchan', async () => {
    const path = '/local/domain/0/data/hello'
    const server = here.spawn(`vchan-hello server 0 ${path}`)
    expect(await exchange(server, `vchan-hello client 0 ${path} loopback`)).to.equal('loopback')
    expect((await server.wait()).status).to.equal(0)
  })

  for (const type of ['pv', 'pvh'] as GuestType[]) {
    describe(`with a ${type.toUpperCase()} guest`, () => {
      let guest: Guest
      before(async () => {
        guest = await Guest.create({ type })
      })
      after(() => guest.destroy())

      it('lets a C server in it talk with a C client in dom0', async () => {
        const server = guest.spawn('vchan-hello server 0 data/hello')
        const path = `/local/domain/${guest.domid}/data/hello`
        expect(await exchange(server, `vchan-hello client ${guest.domid} ${path} from-dom0`)).to.equal('from-dom0')
        expect((await server.wait()).status).to.equal(0)
      })

      it('tells apart what a command in it writes to stdout and stderr, and its status', async () => {
        const result = await guest.run('echo out; echo err >&2; exit 42')
        expect(result).to.deep.equal({ status: 42, output: 'out\n', errors: 'err\n' })
      })

      it('ends a process in it with a signal', async () => {
        const process = guest.spawn('echo started; sleep 1000000 & wait')
        await process.printed(/started/)
        process.kill('SIGKILL')
        expect((await process.wait()).status).to.equal(128 + 9)
      })

      it('shows in the store what it writes there', async () => {
        const store = await openStore()
        try {
          const appears = nodeAppears(store, `/local/domain/${guest.domid}/data/said`)
          await guest.run('xenstore-write data/said word')
          expect(await appears).to.equal('word')
        } finally {
          await store.close()
        }
      })
    })
  }

  it('rejects what runs in a guest that is destroyed', async () => {
    const guest = await Guest.create({ type: 'pv' })
    const process = guest.spawn('echo started; sleep 1000000')
    await process.printed(/started/)
    const outcome = process.wait().then(
      () => 'ended',
      (error: Error) => error.message,
    )
    await guest.destroy()
    expect(await outcome).to.match(/the domain ended/)
    await guest.gone
  })

  it('says that a destroyed guest is gone while a program in dom0 still has its pages mapped', async () => {
    const guest = await Guest.create({ type: 'pv' })
    const server = guest.spawn('vchan-hello server 0 data/hello')
    await server.printed(/listening/)
    server.kill('SIGSTOP')
    const client = here.spawn(`vchan-hello client ${guest.domid} /local/domain/${guest.domid}/data/hello word`)
    try {
      await client.printed(/connected/)
      await guest.destroy()
      expect((await here.run('xl list')).output).to.match(new RegExp(`^\\S+ +${guest.domid} .*d`, 'm'))
    } finally {
      client.kill('SIGKILL')
    }
    await client.wait()
  })

  it('notices that a guest powers off by itself', async () => {
    const guest = await Guest.create({ type: 'pv' })
    guest.spawn('poweroff -f')
    await guest.gone
  })
})
