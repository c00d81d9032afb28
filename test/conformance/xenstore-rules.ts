// Where C xenstored and oxenstored differ, as the suite finds them: what a client may not rely on, and what it has to
// get along with.

export interface StoreRules {
  /** DIRECTORY_PART, as in C since 4.9. Without it a long list comes as one reply, longer than the protocol allows. */
  readonly directoryPart: boolean
  /** WATCH with a depth, features and quotas on the wire, as in C since 4.21. */
  readonly xen421: boolean
  /**
   * Malformed requests get an error, one that is too long loses the connection, @ names are few. oxenstored does not answer
   * what has no string, swallows what is too long, and makes a node of any @ name.
   */
  readonly strictWire: boolean
  /**
   * A commit fails when a node it touched was changed, even if it was missing, or is the same again. oxenstored does the
   * requests that succeeded once more, and compares the replies.
   */
  readonly strictConflicts: boolean
  /** A guest owns what it makes, wherever. On oxenstored the owner of the parent does. */
  readonly makerOwns: boolean
  /** Who may not list a node is not told what is below. oxenstored says ENOENT where nothing is. */
  readonly hidesAbsence: boolean
  /** A guest's CONTROL: refused in C; oxenstored acknowledges and does nothing. */
  readonly refusesControl: boolean
  /** The errno for giving away what one owns. */
  readonly ownerErrno: 'EPERM' | 'EACCES'
  /** The errno for too many nodes or transactions. */
  readonly quotaErrno: 'ENOSPC' | 'EQUOTA'
  /** The errno for too many watches. */
  readonly watchErrno: 'E2BIG' | 'EQUOTA'
  /** Bytes of a value: in C only the message's limit binds domain 0, in oxenstored the node's. */
  readonly valueBytes: number
  /** A guest's node has 2,048 bytes with rights and the names of its children. In oxenstored only the value counts. */
  readonly nodeCountsAll: boolean
  /** Watches of a guest. */
  readonly watches: number
  /** Entries of a permission list; any number in oxenstored. */
  readonly permissions: number
  /** Bytes of a guest's relative path. */
  readonly pathBytes: number
}

/** C xenstored of Xen 4.21: what the embedded store follows. */
export const XENSTORED_421: StoreRules = {
  directoryPart: true,
  xen421: true,
  strictWire: true,
  strictConflicts: true,
  makerOwns: true,
  hidesAbsence: true,
  refusesControl: true,
  ownerErrno: 'EPERM',
  quotaErrno: 'ENOSPC',
  watchErrno: 'E2BIG',
  valueBytes: 4096,
  nodeCountsAll: true,
  watches: 128,
  permissions: 5,
  pathBytes: 2048,
}

/** C xenstored of Xen 4.17. */
export const XENSTORED: StoreRules = { ...XENSTORED_421, xen421: false }

/** oxenstored of Xen 4.17, with the configuration that Debian ships. */
export const OXENSTORED: StoreRules = {
  directoryPart: false,
  xen421: false,
  strictWire: false,
  strictConflicts: false,
  makerOwns: false,
  hidesAbsence: false,
  refusesControl: false,
  ownerErrno: 'EACCES',
  quotaErrno: 'EQUOTA',
  watchErrno: 'EQUOTA',
  valueBytes: 2048,
  nodeCountsAll: false,
  watches: 100,
  permissions: Number.POSITIVE_INFINITY,
  pathBytes: 1024,
}
