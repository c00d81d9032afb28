// From a name to a page: Debian's curl asks jitsud's DNS and a held address, and a unikernel is built, or taken from the pool, to answer.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { unikernelImage } from '../../../testbed/unikernel-images.js'
import { eventually } from '../../support/eventually.js'
import { JITSUD, JitsudProcess } from '../../support/jitsud-process.js'
import { type CommandResult, here } from '../../support/xen-machine.js'

const NAME = 'www.xen.example'
const RESOLVER = '/etc/resolv.conf'
const IDLE_SECONDS = 2

for (const type of ['pv', 'pvh'] as const) {
  describe(`a page of a ${type} unikernel that does not run`, () => {
    let folder: string
    let jitsud: JitsudProcess

    const service = (name: string, cmdline: string, more: object): object => ({
      name,
      launcher: { kind: 'xen', kernel: unikernelImage('http'), memory: '4MiB', type, cmdline },
      ...more,
    })
    /** Of the web server: how many wait in the pool. */
    const configure = (keepWarm: number): void => {
      const web = { dns: [NAME], addresses: ['127.0.0.1'], keepWarm, idleSeconds: IDLE_SECONDS }
      const hold = [{ address: '127.0.0.1:80', handover: 'conduit' }]
      const ready = { when: 'key', timeoutSeconds: 3 }
      const services = [
        service('www', 'name=www', { ...web, hold }),
        service('crashes', 'name=crashes port=p provisioned=nonsense', { dns: ['crashes.xen.example'] }),
        service('hangs', 'ready=data/elsewhere', { dns: ['hangs.xen.example'], ready }),
      ]
      const config = { dns: { listen: '127.0.0.1:53' }, admin: { listen: '127.0.0.1:9180' }, services }
      writeFileSync(join(folder, 'jitsud.json'), JSON.stringify(config))
    }
    const curl = (): Promise<CommandResult> => here.run(`curl -sS http://${NAME}/`)
    const ask = async (...words: string[]): Promise<string> => {
      const { output, status, errors } = await here.run(`node ${JITSUD} ${words.join(' ')} --admin 127.0.0.1:9180`)
      expect([status, errors]).to.deep.equal([0, ''])
      return output
    }
    const state = async (name: string) => {
      const { services } = JSON.parse(await ask('status', '--json'))
      return services.find((one: { name: string }) => one.name === name)
    }
    const isStopped = (name: string) => eventually(async () => (await state(name)).state === 'stopped')
    const runs = async (name: string): Promise<boolean> => (await here.run(`xl domid ${name}`)).status === 0
    const timeline = async () => JSON.parse(await ask('timeline', 'www', '--json'))

    before(async () => {
      folder = mkdtempSync('/tmp/summon-')
      configure(0)
      expect(existsSync(RESOLVER)).to.equal(false)
      writeFileSync(RESOLVER, 'nameserver 127.0.0.1\n')
      const args = ['--config', join(folder, 'jitsud.json'), '--on-exit', 'stop']
      const env = { CONDUIT_BACKEND: 'xen', CONDUIT_RUNTIME_DIR: join(folder, 'run'), STATE_DIRECTORY: folder }
      jitsud = new JitsudProcess(args, env)
      await jitsud.says(/jitsud serves/)
    })
    after(async () => {
      await jitsud.end('SIGTERM')
      rmSync(RESOLVER)
      rmSync(folder, { recursive: true })
      expect((await here.run('xl list')).output.trim().split('\n')).to.have.length(2)
    })

    it('is there for who asks for it', async () => {
      const { status, output, errors } = await curl()
      expect([status, errors]).to.deep.equal([0, ''])
      expect(output).to.match(/^<!doctype html>[\s\S]*shared memory\.<\/p>\n$/)
      expect(await runs('www')).to.equal(true)
      const drawn = await ask('timeline', 'www')
      for (const step of ['launch', 'built', 'unpaused', 'ready', 'first byte']) expect(drawn).to.contain(step)
    })

    it('goes when nobody asks for it any more', async () => {
      await isStopped('www')
      expect(await runs('www')).to.equal(false)
    })

    it('comes from the pool the next time', async () => {
      configure(1)
      jitsud.child.kill('SIGHUP')
      await eventually(async () => (await state('www')).pool?.ready === 1)
      const { output, errors } = await curl()
      expect([output.includes('shared memory'), errors]).to.deep.equal([true, ''])
      const timelines = await timeline()
      expect(JSON.stringify(timelines)).to.contain('"taken"')
    })

    it('is refused, with the reason, where the guest crashes or never gets ready, and the guest is stopped', async () => {
      for (const [name, reason] of [
        ['crashes', /crashes could not be booted: it ended while it booted/],
        ['hangs', /hangs is not ready after 3 s/],
      ] as const) {
        const { status } = await here.run(`curl -sS http://${name}.xen.example/`)
        expect(status).to.equal(6)
        await isStopped(name)
        expect(JSON.stringify(await state(name))).to.match(reason)
        expect(await runs(name)).to.equal(false)
      }
    })
  })
}
