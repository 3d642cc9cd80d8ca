/** A drill of taking access away. */
import type { AdminCommand } from '../command.js'

export const drillCommands: readonly AdminCommand[] = [
  {
    name: 'drill',
    does: 'Give somebody who does not exist access that opens nothing, take it away, and stop the time until it is dead everywhere',
    takes: ['tenant', 'connection', 'resource'],
    flags: {
      by: {
        kind: 'text',
        choices: ['scim', 'admin'],
        says: 'how it is taken away: by the directory of the connection, as if absent, or by an admin',
      },
      'scim-token-env': {
        kind: 'from-env',
        says: 'the variable that holds a SCIM token of the connection; absent: one is made, and revoked at the end',
        member: 'scimToken',
      },
      probe: { kind: 'text', says: 'a URL of the resource server that is asked itself, until it refuses: its MCP endpoint, say' },
      within: { kind: 'number', says: 'seconds after which the drill has failed; 10 if absent' },
    },
    load: async () => (await import('../drill-run.js')).runDrill,
    calls: [
      'GET /tenants/{tenant}',
      'GET /tenants/{tenant}/scim-tokens',
      'POST /tenants/{tenant}/scim-tokens',
      'POST /tenants/{tenant}/drills',
      'GET /tenants/{tenant}/revocations',
    ],
    shows: {
      rows: 'steps',
      columns: [
        ['what', 'what'],
        ['ms', 'milliseconds'],
      ],
    },
    example: 'drawbridge drill initech Okta https://mcp.vendor.example/mcp --probe https://mcp.vendor.example/mcp',
  },
]
