/** How often the trail, which is kept for ever, is told of what a client is refused that brings a token which is worth nothing, or which it may not exchange. */
import type { ExchangeContext } from './exchange.js'

/**
 * What is refused on one grant is told of one client so often, and then refused without a line. It is not counted for the person: whoever has a dead
 * token of hers, or no permission, would keep out those who act for her by living ones.
 */
export const isToldEnough = ({ http, tenant, client }: ExchangeContext, grantId: string): boolean =>
  http.spend('refused_subject_token', `${tenant.id} ${grantId} ${client.issuerId} ${client.id}`) !== undefined
