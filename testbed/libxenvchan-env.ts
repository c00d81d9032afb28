// `node dist/testbed/libxenvchan-env.js`: shell lines that make C programs on libxenvchan use the local substrate. The preload
// library is for them alone: $VCHAN_PEER and $WITH_LIBXENVCHAN set it, the shell's other programs go without.
import { localLibxenvchan } from './local-preload.js'

const library = localLibxenvchan()
if (typeof library === 'string') {
  console.error(library)
  process.exit(1)
}
const { LD_PRELOAD, LD_LIBRARY_PATH, CONDUIT_HYPERVISOR } = library.environment('')
const quoted = (text = ''): string => `'${text.replaceAll("'", `'\\''`)}'`
const command = `env LD_PRELOAD=${LD_PRELOAD} LD_LIBRARY_PATH=${LD_LIBRARY_PATH}`
process.stdout.write(`export CONDUIT_HYPERVISOR=${quoted(CONDUIT_HYPERVISOR)}
export WITH_LIBXENVCHAN=${quoted(command)}
export VCHAN_PEER=${quoted(`${command} ${library.peer.path}`)}
`)
