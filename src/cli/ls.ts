// `conduit-cat ls`: which names there are, who holds them, which connections are open, and where jitsud's services are.
import { type StoreView, viewStore } from './store-view.js'
import { textTable } from './text-table.js'

/** Two tables, and a third of jitsud's services where there are any; headings alone where there is nothing. FLOWS counts the lines of the second. */
export function listingLines({ names, flows, services, unlisted }: StoreView): string[] {
  const flowsOf = (name: string): number => flows.filter((flow) => flow.name === name).length
  return [
    ...textTable(
      ['NAME', 'DOMID', 'FLOWS'],
      names.map(({ name, domid }) => [name, domid, flowsOf(name)]),
    ),
    '',
    ...textTable(
      ['FLOW', 'NAME', 'PORT', 'SERVER', 'CLIENT', 'STATE'],
      flows.map(({ connectionId, name, port, server, client, state }) => [
        connectionId,
        name,
        port ?? '*',
        server,
        client,
        state,
      ]),
    ),
    ...unlisted.map(({ server, count }) => `and ${count} more to domain ${server}, which has no lines for them`),
    ...(services.length === 0 ? [] : ['']),
    ...(services.length === 0
      ? []
      : textTable(
          ['SERVICE', 'STATE'],
          services.map(({ name, state }) => [name, state]),
        )),
  ]
}

/** @returns what goes to stdout. @throws ConduitError as viewStore() */
export async function ls({ json }: { readonly json: boolean }): Promise<string> {
  const view = await viewStore()
  return json ? JSON.stringify(view) : listingLines(view).join('\n')
}
