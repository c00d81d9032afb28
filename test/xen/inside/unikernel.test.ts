// The unikernel as a peer: Debian's libxenvchan and the SDK in dom0 at its other end, in both roles, by port and by name; and
// unikernels among themselves.
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { UnikernelWorld } from '../../support/unikernel-world.js'
import { patternAt } from '../../support/vchan-pattern.js'

const MUCH = 8 << 20
const SOME = 1 << 20

for (const type of ['pv', 'pvh'] as const) {
  describe(`a ${type.toUpperCase()} unikernel`, () => {
    let world: UnikernelWorld
    before(async () => {
      world = await UnikernelWorld.start(type)
    })
    after(() => world?.close())

    describe('echo', () => {
      let address: string
      before(async () => {
        const guest = await world.guest('echo', 'name=uk-echo port=echo')
        address = `${guest.domid} echo`
      })

      it("sends libxenvchan's bytes back, one client after the other", async () => {
        for (const chunk of [16_384, 1000]) {
          const peer = world.peer(`client ${address} exchange ${MUCH} --chunk ${chunk}`)
          expect((await peer.wait()).output).to.match(new RegExp(`bytes=${MUCH} bad=0`))
        }
      })

      it('sends back what the SDK sends to its port', async () => {
        const socket = await world.connect(`vchan://${address.replace(' ', '/')}`)
        expect(await world.exchange(socket, MUCH)).to.equal(MUCH)
      })

      it('sends back what comes by its name, on several connections at once', async () => {
        const sockets = await Promise.all(Array.from({ length: 6 }, () => world.connect('uk-echo')))
        expect(await Promise.all(sockets.map((socket) => world.exchange(socket, SOME)))).to.deep.equal(
          sockets.map(() => SOME),
        )
      })

      it('knows half-close: what it has still to send arrives after our end, and then its own', async () => {
        const socket = await world.connect('uk-echo')
        expect(socket.halfCloseSupported).to.equal(true)
        socket.end(patternAt(0, 100_000))
        const back = await text(socket.setEncoding('latin1'))
        expect(Buffer.from(back, 'latin1').equals(patternAt(0, 100_000))).to.equal(true)
      })

      it('serves a quick client beside one that does not read', async () => {
        const slow = await world.connect('uk-echo')
        while (slow.write(patternAt(0, 65_536))) {
          // Until nothing more fits into both rings.
        }
        const quick = await world.connect('uk-echo')
        expect(await world.exchange(quick, SOME)).to.equal(SOME)
        slow.destroy()
      })

      it('serves on after a client that broke off', async () => {
        for (let time = 0; time < 3; time++) {
          const socket = await world.connect('uk-echo')
          socket.write(patternAt(0, 65_536))
          await once(socket, 'readable')
          socket.destroy()
          await once(socket, 'close')
        }
        expect(await world.exchange(await world.connect('uk-echo'), SOME)).to.equal(SOME)
      })

      it('writes down its open connections, for jitsud to count', async () => {
        const socket = await world.connect('uk-echo:any')
        const domid = Number(address.split(' ')[0])
        for await (const _ of world.store.watches(`/conduit/flows/${domid}`)) {
          const flows = (await world.conduit.flows()).filter(({ server }) => server === domid)
          if (flows.length === 0) continue
          expect(flows[0]).to.include({ name: 'uk-echo', port: 'any', client: 0 })
          break
        }
        socket.destroy()
      })
    })

    describe('relay', () => {
      it("is libxenvchan's client, in rings of every kind", async () => {
        const guest = await world.guest('relay', 'port=in to=vchan://0/out')
        for (const ring of [0, 2048, 4096, 65_536, 1 << 20]) {
          const server = world.peer(`server ${guest.domid} out echo --ring ${ring}`)
          await server.printed(/listening/)
          const socket = await world.connect(`vchan://${guest.domid}/in`)
          // Each ringful is a sleep and a wake-up of three domains.
          const bytes = ring < 65_536 ? SOME / 8 : SOME
          expect(await world.exchange(socket, bytes), `rings of ${ring}`).to.equal(bytes)
          expect((await server.wait()).status).to.equal(0)
        }
      })

      it("is the SDK's client by name, and hands a half-close on", async () => {
        const server = world.conduit.createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket))
        await server.listen('uk-far')
        await world.guest('relay', 'name=uk-relay to=uk-far')
        const sockets = await Promise.all([world.connect('uk-relay'), world.connect('uk-relay')])
        expect(await Promise.all(sockets.map((socket) => world.exchange(socket, SOME)))).to.deep.equal([SOME, SOME])
        const socket = await world.connect('uk-relay')
        socket.end('all of it')
        expect(await text(socket)).to.equal('all of it')
        await server.close()
      })

      it("and another unikernel's, without domain 0 in between", async () => {
        await world.guest('echo', 'name=uk-behind')
        await world.guest('relay', 'name=uk-before to=uk-behind')
        expect(await world.exchange(await world.connect('uk-before'), MUCH)).to.equal(MUCH)
      })

      it('breaks off where there is nobody to hand on to', async () => {
        await world.guest('relay', 'name=uk-nowhere to=uk-nobody')
        const socket = await world.connect('uk-nowhere')
        const [error] = await once(socket.resume(), 'error')
        expect(error).to.have.property('code', 'ECONNRESET')
      })
    })

    describe('HTTP', () => {
      const INDEX = 'GET / HTTP/1.1\r\nHost: uk\r\n'
      let domid: number
      before(async () => {
        const guest = await world.guest('http', 'name=uk-www:http')
        domid = guest.domid
      })

      it('answers requests that come all at once, in their order', async () => {
        const requests = `${INDEX}\r\nHEAD /none HTTP/1.1\r\nHost: uk\r\n\r\n${INDEX}Connection: close\r\n\r\n`
        const answer = await world.ask('uk-www:http', requests)
        expect(answer.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
        expect(answer.match(/<h1>It works/g)).to.have.length(2)
      })

      it('serves what is under data/http in the store, as it is at that moment', async () => {
        const path = `/local/domain/${domid}/data/http/about`
        const ask = () => world.ask('uk-www:http', 'GET /about HTTP/1.0\r\n\r\n')
        expect(await ask()).to.match(/^HTTP\/1\.1 404/)
        await world.store.write(path, '<p>from the store')
        expect(await ask()).to.match(/^HTTP\/1\.1 200.*<p>from the store$/s)
        await world.store.remove(path)
        expect(await ask()).to.match(/^HTTP\/1\.1 404/)
      })

      it('tells bad requests why, and ends', async () => {
        for (const [request, status] of [
          ['nonsense\r\n\r\n', 400],
          ['GET / HTTP/1.1\r\n\r\n', 400],
          ['GET / HTTP/2.0\r\n\r\n', 505],
          ['POST / HTTP/1.1\r\nHost: uk\r\nContent-Length: 3\r\n\r\nabc', 405],
          [`${INDEX}X: ${'x'.repeat(4096)}`, 431],
        ] as const) {
          expect(await world.ask('uk-www:http', request)).to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
        }
      })

      it('refuses other ports of its name', async () => {
        expect(await codeOf(world.connect('uk-www:ftp'))).to.equal('ECONNREFUSED')
      })
    })
  })
}

const codeOf = (failing: Promise<unknown>): Promise<unknown> =>
  failing.then(
    () => undefined,
    ({ code }) => code,
  )
