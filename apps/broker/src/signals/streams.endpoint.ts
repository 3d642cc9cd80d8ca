/** A guard instance opens its stream: it learns every living barrier and the position at which the news goes on. */
import { openStreamAcrossTenants, type ProvenResource } from '@drawbridge/store/notice-streams'
import { acrossTenants } from '@drawbridge/store/transaction'
import { z } from 'zod'
import { json } from '../http/answer.js'
import { endpoint, jsonParser } from '../http/endpoint.js'
import { proveResource, streamIssuerOf } from './resource-credential.js'

const body = z.object({ instance: z.string().min(1).max(200).describe('Names this replica; each replica has a stream of its own') })
const output = z.object({
  streamId: z.string(),
  snapshot: z.array(z.object({ issuer: z.string(), target: z.string(), targetId: z.string(), epoch: z.number() })),
  condemnedKeys: z.array(z.string()).describe('Ids of keys of this issuer that are not to be believed, whatever is cached'),
  position: z.number(),
})

export const streamsEndpoint = endpoint<z.output<typeof body>, ProvenResource>({
  method: 'POST',
  path: '/t/:tenant/ssf/streams',
  spec: 'OpenID SSF 1.0 §8.1.1, ours: snapshot and position',
  summary: 'Open the notice stream of one guard instance',
  servesSuspended: true,
  tag: 'signals',
  permission: 'resource credential (HTTP Basic)',
  output: { status: 201, schema: output },
  authorize: proveResource,
  parse: jsonParser(body),
  run: async (http, deps) => {
    const issuer = streamIssuerOf(http)
    const stream = { id: deps.random.uuid(), resource: http.caller, issuer, instance: http.parsed.instance, now: deps.clock.now() }
    const opened = await acrossTenants(deps.database, (db) => openStreamAcrossTenants(db, stream))
    return json({ streamId: stream.id, ...opened }, { status: 201, headers: { 'cache-control': 'no-store' } })
  },
})
