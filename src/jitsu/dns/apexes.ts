// Which zones a set of names makes. Everybody of a zone is denied by its SOA, so that the choice decides what is called nonexistent.

/** Names here are Conduit's own: nobody else serves the suffix. */
const OWN_SUFFIX = 'xen'

/**
 * The tops of the zones. With the parents: a name's zone is the name without its first label, as Jitsu has it, unless that would be a
 * whole top-level domain; without: the name itself. A zone below another one is a part of it.
 */
export function apexes(names: readonly string[], withParents: boolean): string[] {
  const candidates = new Set(names.map((name) => (withParents ? parentDomain(name) : name)))
  return [...candidates].filter((name) => !ancestors(name).some((ancestor) => candidates.has(ancestor)))
}

function parentDomain(name: string): string {
  const [parent] = ancestors(name)
  return parent !== undefined && (parent.includes('.') || parent === OWN_SUFFIX) ? parent : name
}

/** The nearest first, without the root. */
function ancestors(name: string): string[] {
  const labels = name.split('.')
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join('.'))
}
