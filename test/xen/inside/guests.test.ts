// Guests that find each other by name, with conduit-registrar in dom0: dom0 hands out names and has no part in the bytes.
import { expect } from 'chai'
import { Guest, here, type RemoteProcess } from '../../support/xen-machine.js'

const PROGRAMS = '/conduit/dist/src/cli'
/** The limit is for an emulated machine, where node alone takes seconds to start. */
const CAT = `CONDUIT_BACKEND=xen node ${PROGRAMS}/conduit-cat.js -w 100`

describe('guests by name', () => {
  let registrar: RemoteProcess
  let server: Guest
  let client: Guest

  before(async () => {
    registrar = here.spawn(`exec node ${PROGRAMS}/conduit-registrar.js`)
    await registrar.printed(/serving names/)
    server = await Guest.create({ type: 'pvh' })
    client = await Guest.create({ type: 'pv' })
  })
  after(async () => {
    await Promise.all([server.destroy(), client.destroy()])
    registrar.kill('SIGTERM')
    expect((await registrar.wait()).status).to.equal(0)
  })

  it('exchange bytes', async () => {
    const listening = server.spawn(`${CAT} -v -l -e cat echo`)
    await listening.printed(/listening on/)
    const { status, output, errors } = await client.run(`echo through | ${CAT} echo`)
    expect([status, output], errors).to.deep.equal([0, 'through\n'])
    expect((await listening.wait()).status).to.equal(0)
  })

  it('can neither make a name themselves nor take one that is held', async () => {
    const listening = server.spawn(`${CAT} -v -l held`)
    await listening.printed(/listening on/)
    for (const forbidden of [
      'xenstore-write /conduit/forged 1',
      'xenstore-write /conduit/held 1',
      'xenstore-list /conduit/held/listen',
      'xenstore-rm /conduit/held',
      `xenstore-write /local/domain/${server.domid}/data/conduit/register/forged ""`,
    ]) {
      expect((await client.run(forbidden)).status, forbidden).to.not.equal(0)
    }
    const second = await client.run(`${CAT} -l held < /dev/null`)
    expect([second.status, second.errors]).to.satisfy(
      ([status, errors]: [number, string]) => status === 1 && errors.includes('EADDRINUSE'),
      second.errors,
    )
    listening.kill('SIGTERM')
    await listening.wait()
  })

  it('miss a client that is destroyed in mid-transfer', async () => {
    const listening = server.spawn(
      `${CAT} -v -l bulk -e 'head -c 100000 > /dev/null && echo flows >&2 && cat > /dev/null'`,
    )
    await listening.printed(/listening on/)
    client.spawn(`${CAT} bulk < /dev/zero`)
    await listening.printed(/flows/)
    await client.destroy()
    const { status, errors } = await listening.wait()
    expect([status, errors]).to.satisfy(
      ([code, text]: [number, string]) => code === 1 && text.includes('ECONNRESET'),
      errors,
    )
  })

  it('miss a server that is destroyed in mid-transfer', async () => {
    client = await Guest.create({ type: 'pv' })
    const listening = server.spawn(`${CAT} -v -l bulk < /dev/zero`)
    await listening.printed(/listening on/)
    const reading = client.spawn(`${CAT} -v bulk -e 'head -c 100000 > /dev/null && echo flows >&2 && cat > /dev/null'`)
    await reading.printed(/flows/)
    await server.destroy()
    const { status, errors } = await reading.wait()
    expect([status, errors]).to.satisfy(
      ([code, text]: [number, string]) => code === 1 && text.includes('ECONNRESET'),
      errors,
    )
    // Its name is free for the next.
    const heir = client.spawn(`${CAT} -v -l bulk`)
    await heir.printed(/listening on/)
    heir.kill('SIGTERM')
    await heir.wait()
  })
})
