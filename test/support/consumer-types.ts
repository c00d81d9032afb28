// Type-checks a user's program against the declarations of the installed package, under the user's own compiler options.
import { join } from 'node:path'
import ts from 'typescript'
import { REPOSITORY } from './installed-package.js'

/** What tsconfig.json would say; the strict family and the check of our declarations themselves are on in all. */
export const RESOLUTIONS: Readonly<Record<string, ts.CompilerOptions>> = {
  node16: { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16 },
  nodenext: { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  bundler: { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler },
}

/** The compiler's complaints, one a line; none is the empty list. */
export function complaints(files: readonly string[], resolution: ts.CompilerOptions): string[] {
  const program = ts.createProgram({
    rootNames: files,
    options: {
      ...resolution,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      skipDefaultLibCheck: true,
      typeRoots: [join(REPOSITORY, 'node_modules', '@types')],
      types: ['node'],
    },
  })
  return ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file === undefined ? 0 : ts.getLineAndCharacterOfPosition(file, start ?? 0).line + 1
    return `${file?.fileName}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}
