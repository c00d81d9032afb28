// A jitsud of one held address, in a process that a test can take descriptors from: `holding-process.js ADDR:PORT`, of the guest.
// Says its address, then its counters whenever asked; the service is ready when told.
import { holdSchema } from '../../../protocol/jitsud-hold-config.js'
import { HeldAddress } from '../../../src/jitsu/hold/index.js'
import { FakeService } from '../../support/fake-service.js'

const [target] = process.argv.slice(2)
const service = new FakeService()
const config = holdSchema.parse({ address: '127.0.0.1:0', handover: 'tcp', target })
const held = await HeldAddress.listen(config, service)

process.on('message', (command: 'ready' | 'counters') => {
  if (command === 'ready') service.becomesReady()
  process.send!({ counters: held.counters })
})
process.once('disconnect', () => process.exit(0))
process.send!({ address: held.address })
