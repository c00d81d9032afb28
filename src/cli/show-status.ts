// `jitsud status`: asks a running jitsud for its services and their states.

import { ConduitError } from '../errors.js'
import { parseStatus } from '../jitsu/admin/status-schema.js'
import { type AdminAddress, askAdmin } from './admin-client.js'
import { printLine } from './standard-output.js'
import { statusLines } from './status-text.js'

/** @throws ConduitError as askAdmin() */
export async function showStatus(address: AdminAddress, { json }: { readonly json: boolean }): Promise<void> {
  const status = await askAdmin(address, '/status', parseStatus)
  if (status === undefined) throw new ConduitError('EINVAL', 'that jitsud has no status to show')
  await printLine(json ? JSON.stringify(status) : statusLines(status).join('\n'))
}
