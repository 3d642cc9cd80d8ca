/** Every reason for which a message is refused here. They go to a log and an admin; whoever sent the message learns none of them. */
import { type Err, err } from './result.js'

export type DocumentReason =
  | 'too_large'
  | 'limit_exceeded'
  | 'doctype'
  | 'processing_instruction'
  | 'comment'
  | 'cdata'
  | 'encoding_not_utf8'
  | 'xml_malformed'

export type SignatureReason =
  | 'unsigned'
  | 'duplicate_id'
  | 'signature_misplaced'
  | 'signature_shape_invalid'
  | 'reference_invalid'
  | 'transform_refused'
  | 'algorithm_sha1'
  | 'algorithm_refused'
  | 'signature_invalid'

/** `limit` names the limit of `documentLimits` that was exceeded; `at` is where in the text the fault was met. */
export type DocumentRefusal = {
  readonly reason: DocumentReason
  readonly detail?: Readonly<Record<string, string | number>>
}
export type SignatureRefusal = { readonly reason: SignatureReason }

export const refuse = (reason: SignatureReason): Err<SignatureRefusal> => err({ reason })
