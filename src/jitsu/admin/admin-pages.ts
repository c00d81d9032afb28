// What the admin address shows under which path. How it is asked, and by whom, is admin-server.ts.
import type { Timeline } from '../timeline.js'
import { timelineSvg } from '../timeline-svg.js'
import type { Health, JitsudStatus } from './status.js'

/** Where the pages come from. */
export interface AdminSource {
  health(): Health
  status(): JitsudStatus
  /** Newest last; of one service, or of all. Undefined for a service that is not there. */
  timelines(service?: string): readonly Timeline[] | undefined
  /** In Prometheus' text format, with its media type. */
  metrics(): Promise<{ readonly type: string; readonly text: string }>
}

export interface Page {
  readonly status: number
  readonly type: string
  readonly body: string
}

const JSON_TYPE = 'application/json; charset=utf-8'
const TEXT_TYPE = 'text/plain; charset=utf-8'
const INDEX = `jitsud
/healthz        200 when it can do its work, 503 and why when it cannot
/metrics        for Prometheus
/status         services and their states, as JSON
/timeline       what happened when in each summon, as JSON; ?name=SERVICE for one
/timeline.svg   the same as a picture
`

/** The page at `target`, the path and query of a request. */
export async function adminPage(source: AdminSource, target: string): Promise<Page> {
  const [path = '', ...rest] = target.split('?')
  const name = new URLSearchParams(rest.join('?')).get('name') ?? undefined
  switch (path) {
    case '/':
      return page(INDEX, TEXT_TYPE)
    case '/healthz':
      return healthPage(source.health())
    case '/metrics': {
      const { type, text } = await source.metrics()
      return page(text, type)
    }
    case '/status':
      return jsonPage(source.status())
    case '/timeline':
    case '/timeline.svg': {
      const timelines = source.timelines(name)
      if (timelines === undefined) return jsonPage({ error: `there is no service ${name}` }, 404)
      return path === '/timeline' ? jsonPage(timelines) : page(timelineSvg(timelines), 'image/svg+xml')
    }
    default:
      return { ...page(`there is no such page\n\n${INDEX}`, TEXT_TYPE), status: 404 }
  }
}

const page = (body: string, type: string): Page => ({ status: 200, type, body })

const jsonPage = (value: unknown, status = 200): Page => ({
  status,
  type: JSON_TYPE,
  body: `${JSON.stringify(value)}\n`,
})

const healthPage = ({ healthy, problems }: Health): Page =>
  jsonPage({ status: healthy ? 'ok' : 'failing', problems }, healthy ? 200 : 503)
