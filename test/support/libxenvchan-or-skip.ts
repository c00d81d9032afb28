// Debian's libxenvchan for tests: pending, saying why, where it cannot be had; with CI=true an error.
import { type LocalLibxenvchan, localLibxenvchan } from '../../testbed/local-preload.js'

/** For `before`. */
export function libxenvchanOrSkip(context: Mocha.Context): LocalLibxenvchan {
  const found = localLibxenvchan()
  if (typeof found !== 'string') return found
  if (process.env.CI === 'true') throw new Error(found)
  console.log(`      pending: ${found}`)
  context.skip()
}
