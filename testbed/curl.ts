// Debian's curl with its libraries, for tests inside the machine: a client that nobody here wrote.
import { join } from 'node:path'
import type { Architecture } from './architecture.js'
import type { PackedFile } from './archive-entries.js'
import { debianTree } from './debian-packages.js'
import { libraryFile, sharedLibraries } from './shared-libraries.js'

/** curl, and all that libcurl4 depends on directly or indirectly. */
const PACKAGES = [
  'curl',
  'libbrotli1',
  'libcom-err2',
  'libcurl4',
  'libffi8',
  'libgmp10',
  'libgnutls30',
  'libgssapi-krb5-2',
  'libhogweed6',
  'libidn2-0',
  'libk5crypto3',
  'libkeyutils1',
  'libkrb5-3',
  'libkrb5support0',
  'libldap-2.5-0',
  'libnettle8',
  'libnghttp2-14',
  'libp11-kit0',
  'libpsl5',
  'librtmp1',
  'libsasl2-2',
  'libssh2-1',
  'libssl3',
  'libtasn1-6',
  'libunistring2',
  'libzstd1',
  'zlib1g',
]

/** What of it this machine itself provides where the architecture is its own. */
const OTHERS: Record<Architecture, readonly string[]> = { x86_64: [], arm64: ['libc6', 'libdb5.3', 'libgcc-s1'] }

/** What is to be put into the machine. Throws with what to do when the packages cannot be had. */
export function curlFiles(architecture: Architecture): PackedFile[] {
  const tree = debianTree('curl', [...PACKAGES, ...OTHERS[architecture]], architecture)
  if (typeof tree === 'string') throw new Error(tree)
  const curl = join(tree.root, 'usr/bin/curl')
  return [
    { path: 'usr/bin/curl', source: curl, executable: true },
    ...sharedLibraries([curl], tree).map((source) => libraryFile(source, architecture)),
  ]
}
