/** What a reader makes of a message: a root that nobody has vouched for yet, and the parts that a key signed. */
import type { Result } from '@drawbridge/core/result'
import type { UpstreamRefusal } from '../error.js'
import type { Element } from './element.js'

/** A part of the message with what was signed as its tree: an identity is read from `element` and from nowhere else. */
export type SignedPart = { readonly of: 'message' | 'assertion'; readonly id: string; readonly element: Element }

export type ReadMessage = {
  /** As it arrived. It can refuse a message; it can never say who somebody is. */
  readonly root: Element
  /** Every signature, each verified; the response's first where both are signed. Refuses when there is none. */
  readonly findSigned: (certificates: readonly string[]) => Result<readonly SignedPart[], UpstreamRefusal>
}

/** From decoded text. A message outside of the limits, or not in the XML of the profile, is refused here. */
export type SignatureReader = (message: string) => Result<ReadMessage, UpstreamRefusal>
