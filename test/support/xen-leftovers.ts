// What is left of Xen's pages: in this process by the kernel's own list of mappings, in this domain by what gntalloc refuses.
import { readFileSync, writeFileSync } from 'node:fs'
import { native } from '../../src/native.js'
import { openDevice } from '../../src/substrate/xen/devices.js'
import { GRANT_LIMIT_PATH } from '../../src/substrate/xen/granted-pages.js'

/** Mappings of pages of Xen's in this process. */
export const mappedXenPages = (): number =>
  readFileSync('/proc/self/maps', 'utf8').match(/\/dev\/xen\/gnt/g)?.length ?? 0

/** While counting: a request of as many pages as the limit is refused unless none is granted (linux, drivers/xen/gntalloc.c). */
const COUNTED_TO = 256

/** Pages that this domain's processes have granted and not got back; for root only. */
export function grantedPages(): number {
  const limit = readFileSync(GRANT_LIMIT_PATH, 'utf8')
  const fd = openDevice(native(), 'gntalloc')
  writeFileSync(GRANT_LIMIT_PATH, String(COUNTED_TO))
  try {
    for (let free = COUNTED_TO; free > 0; free--) {
      if (canGrant(fd, free)) return COUNTED_TO - free
    }
    return COUNTED_TO
  } finally {
    writeFileSync(GRANT_LIMIT_PATH, limit)
    native().closeFd(fd)
  }
}

function canGrant(fd: number, pages: number): boolean {
  try {
    const [index] = native().gntallocAllocate(fd, 0, pages, false)
    native().gntallocRelease(fd, index, pages)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}
