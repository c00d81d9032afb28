// The programs in README.md, as a reader would paste them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './installed-package.js'

/** JavaScript of the README by block; a block with `// name.mjs` lines is one program for each. */
function blocks(): string[] {
  const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8')
  return [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = '']) => code)
}

/** The program that the README calls `name`. */
export function readmeProgram(name: string): string {
  const found = blocks()
    .flatMap((block) => block.split(/^(?=\/\/ \S+\.mjs$)/m))
    .find((program) => program.startsWith(`// ${name}\n`))
  if (found === undefined) throw new Error(`README.md has no program ${name}`)
  return found
}

/** The block that contains `text`. */
export function readmeBlock(text: string): string {
  const found = blocks().find((block) => block.includes(text))
  if (found === undefined) throw new Error(`README.md has no block with ${text}`)
  return found
}
