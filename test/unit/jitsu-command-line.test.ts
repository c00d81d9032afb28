import { expect } from 'chai'
import { parseJitsuCommandLine } from '../../protocol/jitsu-command-line.js'
import type { JitsudConfig } from '../../protocol/jitsud-config.js'

const machine = { cwd: '/home/user', nameservers: ['192.0.2.53', '2001:db8::53'] }

function config(...args: string[]): JitsudConfig {
  const parsed = parseJitsuCommandLine(args, machine)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return parsed.config
}
function faults(...args: string[]): string[] {
  const parsed = parseJitsuCommandLine(args, machine)
  return parsed.ok ? [] : parsed.faults.map(({ path, problem, accepted }) => `${path} | ${problem} | ${accepted}`)
}

describe('Jitsu’s command line', () => {
  const WWW = 'dns=mirage.org,ip=10.0.0.1,name=mirage-www'

  it('has Jitsu’s defaults', () => {
    const { dns, services } = config(WWW)
    expect(dns).to.deep.equal({ listen: '127.0.0.1:53', ttl: 60, forward: ['192.0.2.53:53', '[2001:db8::53]:53'] })
    expect(services).to.have.length(1)
    expect(services[0]).to.deep.include({
      name: 'mirage-www',
      dns: ['mirage.org'],
      addresses: ['10.0.0.1'],
      launcher: { kind: 'libvirt', uri: 'xen:///', domain: 'mirage-www' },
      ready: { when: 'delay', delaySeconds: 0.1, timeoutSeconds: 10.1 },
      idleSeconds: 120,
      stop: 'destroy',
    })
  })

  it('takes each option, in every way that cmdliner does', () => {
    const same = [
      [
        '-b',
        '0.0.0.0',
        '-l',
        '5353',
        '-f',
        '8.8.8.8',
        '-p',
        '54',
        '-t',
        '5',
        '-m',
        'suspend',
        '-d',
        '2',
        '-c',
        'qemu:///',
      ],
      ['-b0.0.0.0', '-l5353', '-f8.8.8.8', '-p54', '-t5', '-msuspend', '-d2', '-cqemu:///'],
      [
        '--bind=0.0.0.0',
        '--listen=5353',
        '--forwarder=8.8.8.8',
        '--port=54',
        '--ttl=5',
        '--mode=suspend',
        '--delay=2',
        '--connect=qemu:///',
      ],
    ]
    for (const options of same) {
      const { dns, services } = config(...options, WWW)
      expect(dns).to.deep.equal({ listen: '0.0.0.0:5353', ttl: 5, forward: ['8.8.8.8:54'] })
      expect(services[0]).to.deep.include({ idleSeconds: 10, stop: 'suspend' })
      expect(services[0]?.ready).to.deep.include({ delaySeconds: 2 })
      expect(services[0]?.launcher).to.include({ uri: 'qemu:///' })
    }
    expect(config('-f', '0.0.0.0', WWW).dns?.forward).to.deep.equal([])
  })

  it('builds with libxl what its README builds, with memory in KiB', () => {
    const keys =
      'kernel=mir-www.xen,memory=64000,nic=br0,script=vif-fast,disk=www.img@xvda,cmdline=a=b,wait_for_key=data/ready'
    const { services } = config('-x', 'libxl', `dns=a.org,dns=b.org,ip=192.168.0.22,name=www,${keys}`)
    expect(services[0]).to.deep.include({
      dns: ['a.org', 'b.org'],
      launcher: {
        kind: 'xl',
        kernel: '/home/user/mir-www.xen',
        memoryMib: 63,
        cmdline: 'a=b',
        vif: ['bridge=br0,script=vif-fast'],
        disk: ['/home/user/www.img,raw,xvda,rw'],
        extra: {},
      },
      ready: { when: 'key', key: 'data/ready', delaySeconds: 0, timeoutSeconds: 10 },
    })
  })

  it('takes several machines, each with its own delay', () => {
    const { services } = config(WWW, 'dns=b.org,ip=10.0.0.2,uuid=8a3c,response_delay=1.5')
    expect(services.map(({ name }) => name)).to.deep.equal(['mirage-www', 'b'])
    expect(services[1]?.ready).to.deep.include({ delaySeconds: 1.5 })
    expect(services[1]?.launcher).to.include({ domain: '8a3c' })
  })

  it('refuses what jitsud does otherwise, with what to write instead', () => {
    expect(faults('--synjitsu', 'uuid', WWW)[0]).to.match(/^--synjitsu \| is not supported \| .*"hold"/)
    expect(faults('--persistdb', '/db', WWW)[0]).to.match(/"stateFile"/)
    expect(faults('-x', 'xapi', WWW)[0]).to.match(/^--backend \| "xapi" is not supported \| libvirt or libxl/)
    expect(faults(`${WWW},use_synjitsu=1`)[0]).to.match(/use_synjitsu/)
    expect(config(`${WWW},use_synjitsu=0`).services).to.have.length(1)
    expect(faults('-x', 'libxl', `${WWW},kernel=/k,rumprun_config=/c`)[0]).to.match(/cmdline$/)
  })

  it('names what is wrong', () => {
    expect(faults()[0]).to.match(/no machine is given/)
    expect(faults('-q', 'x', WWW)[0]).to.match(/^-q \| there is no such option \| --bind/)
    expect(faults(WWW, '-b')[0]).to.equal('--bind | is missing its value | a value')
    expect(faults('dns=a.org')[0]).to.match(/^ip \| is missing/)
    expect(faults('ip=10.0.0.1,name=a')[0]).to.match(/^dns \| is missing/)
    expect(faults(`${WWW},vm=x`)[0]).to.match(/^vm=x \| there is no such key/)
    expect(faults(`${WWW},name=y`)[0]).to.match(/^name \| is given twice/)
    expect(faults('-t', 'x', WWW)[0]).to.match(/^--ttl \| "x" is not accepted \| seconds/)
    expect(faults('-m', 'kill', WWW)[0]).to.match(/^services\[0\]\.stop \| "kill"/)
    expect(faults('-x', 'libxl', `${WWW},kernel=/k,disk=/a`)[0]).to.match(/^disk \|/)
    expect(faults('dns=a.org,ip=10.0.0.1,name=a.b')[0]).to.match(/^services\[0\]\.name/)
  })
})
