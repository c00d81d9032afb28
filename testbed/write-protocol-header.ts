// `npm run protocol:header`: writes protocol/conduit-protocol.h anew, after numbers in protocol/ have changed.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cHeader } from '../protocol/c-header.js'
import { PROJECT_ROOT } from './project.js'

writeFileSync(join(PROJECT_ROOT, 'protocol', 'conduit-protocol.h'), cHeader())
