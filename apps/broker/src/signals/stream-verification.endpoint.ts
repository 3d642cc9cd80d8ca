/** A receiver asks for an event that proves its stream from end to end: it comes over the stream, before whatever else is owed. */
import { addSeconds } from '@drawbridge/core/instant'
import { eventStreamLimits } from '@drawbridge/core/signals/event-stream'
import { verificationClaims } from '@drawbridge/core/signals/set-claims'
import { askForVerification } from '@drawbridge/store/event-streams'
import { z } from 'zod'
import { empty } from '../http/answer.js'
import { endpoint, jsonParser, tenantOf } from '../http/endpoint.js'
import { signOwnEvent } from '../http/own-event.js'
import { forReceivers, noStore, withStream } from './event-streams.endpoint.js'
import { type ProvenReceiver, refuseSignal } from './resource-credential.js'

const body = z.object({
  stream_id: z.string().max(100),
  state: z.string().max(eventStreamLimits.stateLength).optional().describe('Comes back in the event'),
})

export const streamVerificationEndpoint = endpoint<z.output<typeof body>, ProvenReceiver>({
  ...forReceivers,
  method: 'POST',
  path: '/t/:tenant/ssf/verify',
  spec: 'SSF 1.0 §8.1.4.2',
  summary: 'Ask for a verification event over a stream',
  output: { status: 204 },
  parse: jsonParser(body),
  run: (http, deps) =>
    withStream(http, deps, http.parsed.stream_id, async (db, stream) => {
      if (stream.status !== 'enabled') return refuseSignal('stream_not_enabled')
      const { credentialId, identifier: audience } = http.caller
      const claims = verificationClaims(stream.id, http.parsed.state)
      const event = signOwnEvent(deps, tenantOf(http), { kind: 'verification', audience, claims })
      const now = deps.clock.now()
      const notSince = addSeconds(now, -eventStreamLimits.minVerificationSeconds)
      const isAsked = await askForVerification(db, stream, { event, credentialId, now, notSince })
      return isAsked ? empty(204, noStore) : refuseSignal('verification_too_soon', String(eventStreamLimits.minVerificationSeconds))
    }),
})
