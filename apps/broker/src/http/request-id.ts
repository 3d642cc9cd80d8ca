/** The id that joins a request, its log lines, its audit events and its error page. */
import type { RequestId } from '@drawbridge/core/tenant/ids'
import type { Random } from '@drawbridge/crypto/random'

/** Always our own: an id from outside could be made to collide with somebody else's. */
export const newRequestId = (random: Random): RequestId => random.bytes(12).toString('base64url') as RequestId
