// The file that `xl create` reads (xl.cfg(5)): a domain that leaves nothing behind when it ends, whatever ended it.
import type { XlLauncherConfig } from '../../../protocol/jitsud-config.js'

type Value = string | number | boolean | readonly string[]

/** The text of a domain's configuration. */
export function xlConfig(name: string, config: XlLauncherConfig): string {
  const { kernel, ramdisk, memoryMib, vcpus, type, cmdline, vif, disk, extra } = config
  const keys: Record<string, Value | undefined> = {
    name,
    type,
    kernel,
    ramdisk,
    memory: memoryMib,
    vcpus,
    cmdline,
    vif: vif.length > 0 ? vif : undefined,
    disk: disk.length > 0 ? disk : undefined,
    // Whatever ends it: jitsud starts it again, when somebody asks for it.
    on_poweroff: 'destroy',
    on_reboot: 'destroy',
    on_crash: 'destroy',
    ...extra,
  }
  const lines = Object.entries(keys).flatMap(([key, value]) =>
    value === undefined ? [] : `${key} = ${literal(value)}`,
  )
  return `${lines.join('\n')}\n`
}

/** xl's own escapes in strings (xen:tools/libs/util/libxlu_cfg.c, xlu__cfgl_dequote): backslash, quotes and \n \t \xHH. */
function literal(value: Value): string {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'boolean') return value ? '1' : '0'
  if (typeof value === 'string') return `"${value.replace(/["\\]/g, (special) => `\\${special}`)}"`
  return `[ ${value.map(literal).join(', ')} ]`
}
