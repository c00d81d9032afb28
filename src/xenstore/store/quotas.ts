// What an unprivileged domain may use of the store. Domain 0 has no limits. Defaults are C xenstored's
// (tools/xenstored/domain.c, hard_quotas); the names are those of GET_QUOTA and SET_QUOTA.

/** Limits for one domain; 0 switches a limit off. The limit itself is still allowed (C lets one watch and one transaction more pass). */
export interface StoreQuotas {
  /** Nodes that the domain owns. */
  readonly nodes: number
  /** Bytes of one node: 16, 8 a permission entry, the value, and each child's name with its NUL. */
  readonly nodeBytes: number
  /** Entries of one node's permission list, the owner's included. */
  readonly permissions: number
  /** Watches of all the domain's connections. */
  readonly watches: number
  /** Open transactions of all the domain's connections. */
  readonly transactions: number
  /** Nodes read or written in one transaction. */
  readonly transactionNodes: number
  /** Bytes of a path, without its `/local/domain/<domid>/`. */
  readonly pathBytes: number
}

export const DEFAULT_STORE_QUOTAS: StoreQuotas = {
  nodes: 1000,
  nodeBytes: 2048,
  permissions: 5,
  watches: 128,
  transactions: 10,
  transactionNodes: 1024,
  pathBytes: 2048,
}

/** The wire's name of each quota. */
export const STORE_QUOTA_NAMES: ReadonlyMap<string, keyof StoreQuotas> = new Map([
  ['nodes', 'nodes'],
  ['node-size', 'nodeBytes'],
  ['node-permissions', 'permissions'],
  ['watches', 'watches'],
  ['transactions', 'transactions'],
  ['transaction-nodes', 'transactionNodes'],
  ['path-length', 'pathBytes'],
])

/** Whether `amount` is more than `limit` allows. */
export const exceeds = (amount: number, limit: number): boolean => limit !== 0 && amount > limit
