// Where jitsud's services are, for everybody to see: one node each below the host id, which only dom0 can write. For people and
// their tools; nobody decides by it.
import { parseName } from './conduit-name.js'
import { HOST_ID_PATH } from './conduit-paths.js'

export const SERVICE_STATES_ROOT = `${HOST_ID_PATH}/services`
export const serviceStatePath = (name: string): string => `${SERVICE_STATES_ROOT}/${name}`

export const SERVICE_STATES = ['stopped', 'starting', 'ready', 'stopping'] as const

/** The state that `text` spells; undefined for anything else. */
export const parseServiceState = (text: string): (typeof SERVICE_STATES)[number] | undefined =>
  SERVICE_STATES.find((state) => state === text)

/** Children of {@link SERVICE_STATES_ROOT} that are names. */
export const servicesAmong = (children: readonly string[]): string[] =>
  children.filter((child) => parseName(child) === child)
