// The version that every program of the package prints.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export function packageVersion(): string {
  const path = fileURLToPath(import.meta.resolve('conduit-vchan/package.json'))
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}
