// The files of a folder as an assembler's table (http_pages.h), so that they lie in the image as they are.
import { readdirSync } from 'node:fs'
import { join, relative, sep } from 'node:path'

/** @param {string} folder @returns {string} source for the C compiler's assembler */
export function pagesSource(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  const path = (file) => `/${relative(folder, file).split(sep).join('/')}`
  const entries = files.map((_, at) => `    .quad path_${at}, bytes_${at}, path_${at} - bytes_${at}`)
  const contents = files.map(
    (file, at) =>
      `bytes_${at}:\n    .incbin ${JSON.stringify(file)}\npath_${at}:\n    .asciz ${JSON.stringify(path(file))}`,
  )
  return [
    '    .section .rodata.http_pages, "a"',
    '    .balign 8',
    '    .globl http_pages',
    'http_pages:',
    ...entries,
    '    .quad 0',
    ...contents,
    '    .section .note.GNU-stack, "", %progbits',
    '',
  ].join('\n')
}
