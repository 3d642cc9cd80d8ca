/**
 * Cursors of RFC 9865: where the next page begins. Sealed, so that nobody reads or makes one; bound to the tenant, the connection and the
 * question; and too old after a named time.
 */
import { addSeconds } from '@drawbridge/core/instant'
import { err, ok, type Result } from '@drawbridge/core/result'
import { type ScimError, scimLimits } from '@drawbridge/core/scim/error'
import type { SearchWords } from '@drawbridge/core/scim/search-request'
import { sha256Base64url } from '@drawbridge/crypto/hash'
import type { SealContext } from '@drawbridge/crypto/seal'
import type { SearchPosition } from '@drawbridge/store/scim-search'
import { z } from 'zod'
import { sealContextOf } from '../http/seal-context.js'
import type { ScimContext } from './resource-kind.js'

const shape = z.tuple([z.number(), z.string(), z.string().nullable(), z.string()])

const contextOf = ({ deps, caller }: ScimContext): SealContext =>
  sealContextOf({ deps, tenant: { id: caller.tenant } }, 'scim_cursors', 'position', caller.connectionId)

/** Raised when some question is answered in another order than before: a cursor of before would go on in the middle of it. */
const orders = 2

/** What was asked, but for the page: a cursor continues one question and no other. */
const questionOf = (kind: string, { filter, sortBy, sortOrder }: SearchWords): string =>
  sha256Base64url(JSON.stringify([kind, filter ?? null, sortBy ?? null, sortOrder ?? null, orders]))

export function writeCursor(context: ScimContext, kind: string, words: SearchWords, { key, id }: SearchPosition): string {
  const expiresAt = addSeconds(context.caller.now, scimLimits.cursorSeconds)
  const plain = JSON.stringify([expiresAt, questionOf(kind, words), key ?? null, id] satisfies z.output<typeof shape>)
  return context.deps.sealer.seal(Buffer.from(plain), contextOf(context)).toString('base64url')
}

/** An empty cursor asks for the first page. @spec RFC 9865 §2.3 */
export function readCursor(
  context: ScimContext,
  kind: string,
  words: SearchWords,
  text: string,
): Result<SearchPosition | undefined, ScimError> {
  if (text === '') return ok(undefined)
  const opened = /^[A-Za-z0-9_-]{1,4096}$/.test(text)
    ? context.deps.sealer.open(Buffer.from(text, 'base64url'), contextOf(context))
    : undefined
  if (!opened?.ok) return err({ reason: 'scim_cursor_invalid' })
  const [expiresAt, question, key, id] = shape.parse(JSON.parse(opened.value.toString('utf8')))
  if (question !== questionOf(kind, words)) return err({ reason: 'scim_cursor_invalid' })
  if (context.caller.now >= expiresAt) return err({ reason: 'scim_cursor_expired' })
  return ok({ key: key ?? undefined, id })
}
