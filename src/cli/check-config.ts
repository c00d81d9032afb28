// `jitsud check`: whether a configuration is right, and what it comes to.
import { readConfig } from '../jitsu/read-config.js'
import { printLine } from './standard-output.js'

/** @throws ConduitError CONFIG */
export async function checkConfig(file: string): Promise<void> {
  const { services, dns, admin } = await readConfig(file)
  const count = `${services.length} ${services.length === 1 ? 'service' : 'services'}`
  const names = services.length === 0 ? '' : `: ${services.map(({ name }) => name).join(', ')}`
  await printLine(`${file} is right: ${count}${names}`)
  await printLine(dns === undefined ? 'no DNS server: names are summoned by conduit alone' : `DNS at ${dns.listen}`)
  await printLine(admin === undefined ? 'no admin address' : `admin at ${admin.listen}`)
}
