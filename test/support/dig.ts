// BIND's dig without installing it. Where it cannot be had, tests are pending and say why; with CI=true they fail instead.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { debianTree } from '../../testbed/debian-packages.js'

/** dig, and the libraries that it needs beside a minimal system's. */
const PACKAGES = [
  ...['bind9-dnsutils', 'bind9-libs', 'libedit2', 'libfstrm0', 'libidn2-0', 'libjemalloc2', 'libjson-c5', 'liblmdb0'],
  ...['libmaxminddb0', 'libnghttp2-14', 'libprotobuf-c1', 'libunistring2', 'libuv1', 'libxml2', 'libicu72', 'libssl3'],
  ...['libgssapi-krb5-2', 'libkrb5-3', 'libk5crypto3', 'libkrb5support0', 'libkeyutils1', 'libcom-err2'],
]

export interface DigAnswer {
  /** `NOERROR`. */
  readonly status: string
  /** `qr aa rd`. */
  readonly flags: string
  /** Lines of each section, spaces made single. */
  readonly answer: readonly string[]
  readonly authority: readonly string[]
  readonly additional: readonly string[]
  readonly question: readonly string[]
  readonly output: string
}

/** Asks the server at a port of 127.0.0.1. */
export type Dig = (port: number, ...args: readonly string[]) => Promise<DigAnswer>

/** dig, or why it cannot be had. */
export function findDig(): Dig | string {
  const tree = debianTree('bind9-dnsutils', PACKAGES)
  if (typeof tree === 'string') return `bind9-dnsutils needed: ${tree}`
  const program = join(tree.root, 'usr', 'bin', 'dig')
  const env = { ...process.env, LD_LIBRARY_PATH: tree.libraries, LC_ALL: 'C', HOME: '/nonexistent' }
  return (port, ...args) =>
    new Promise((resolve, reject) => {
      execFile(program, ['@127.0.0.1', '-p', String(port), ...args], { env }, (error, stdout, stderr) => {
        // 9: no answer at all.
        if (error === null) resolve(parseDig(stdout))
        else reject(new Error(`dig ${args.join(' ')}: ${stdout}${stderr}`, { cause: error }))
      })
    })
}

function parseDig(output: string): DigAnswer {
  const section = (name: string): string[] => {
    const [, lines = ''] = new RegExp(`;; ${name} SECTION:\\n([^]*?)(?:\\n\\n|$)`).exec(output) ?? []
    return lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace(/\s+/g, ' '))
  }
  return {
    status: /status: ([A-Z0-9]+)/.exec(output)?.[1] ?? '',
    flags: /;; flags: ([a-z ]*);/.exec(output)?.[1] ?? '',
    answer: section('ANSWER'),
    authority: section('AUTHORITY'),
    additional: section('ADDITIONAL'),
    question: section('QUESTION'),
    output,
  }
}
