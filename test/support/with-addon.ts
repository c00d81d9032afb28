// Suites of the local substrate: pending without the addon, which `npm run build` makes.
import { native } from '../../src/native.js'

export function describeWithAddon(body: () => void): void {
  describe('with the addon', () => {
    before(function () {
      try {
        native()
      } catch {
        this.skip()
      }
    })
    body()
  })
}
