/** The only writer of refusals: catalogue entry in, answer out. What goes on the wire is the entry's `code` and `say`, nothing else. */
import { scimContentType, scimErrorMessage } from '@drawbridge/core/scim/error'
import { type Answer, json, page, problem } from './answer.js'
import { type HttpErrorReason, httpErrors } from './error.js'
import { html } from './html.js'

/** The shape that every catalogue of the house shares. */
export type RefusalEntry = { readonly code: string; readonly status: number; readonly say: string; readonly title?: string }
export type Refusal = { readonly reason: string; readonly detail?: Readonly<Record<string, unknown>> }
type Extras = { readonly headers?: Readonly<Record<string, string>>; readonly setCookies?: readonly string[] }

const noStore = { 'cache-control': 'no-store' }
const note = ({ reason, detail }: Refusal) => ({ reason, ...(detail ? { detail } : {}) })

/** @spec RFC 6749 §5.2 */
export const refuseAsJson = (entry: RefusalEntry, refusal: Refusal, extras: Extras = {}): Answer =>
  json(
    { error: entry.code, error_description: entry.say },
    { ...extras, status: entry.status, headers: { ...noStore, ...retryAfter(entry, refusal), ...extras.headers }, refusal: note(refusal) },
  )

/** Of what will be otherwise by itself, where the refusal knows when. RFC 9110 §10.2.3 */
function retryAfter({ status }: RefusalEntry, { detail }: Refusal): Readonly<Record<string, string>> {
  const seconds = detail?.['retryAfterSeconds']
  return (status === 503 || status === 429) && typeof seconds === 'number' ? { 'retry-after': String(seconds) } : {}
}

/** A page, never a redirect: for whatever makes it unsafe to send the browser on. */
export const refuseAsPage = (entry: RefusalEntry, refusal: Refusal, extras: Extras = {}): Answer =>
  page(entry.title ?? 'This did not work', html`<p>${sentence(entry.say)}</p><p class="soft">Code <code>${refusal.reason}</code></p>`, {
    ...extras,
    status: entry.status,
    headers: { ...noStore, ...retryAfter(entry, refusal), ...extras.headers },
    refusal: note(refusal),
  })

/** @spec RFC 9457 §3 */
export const refuseAsProblem = (
  entry: RefusalEntry,
  refusal: Refusal,
  extras: Extras & { readonly errors?: readonly { readonly path: string; readonly message: string }[] } = {},
): Answer =>
  problem(
    entry.status,
    {
      type: `urn:drawbridge:error:${refusal.reason}`,
      title: entry.title ?? sentence(entry.say),
      detail: entry.say,
      ...(extras.errors ? { errors: extras.errors } : {}),
    },
    { headers: { ...noStore, ...extras.headers }, refusal: note(refusal) },
  )

/** @spec RFC 7644 §3.12 */
const refuseAsScim = (entry: RefusalEntry, refusal: Refusal, extras: Extras = {}): Answer =>
  json(scimErrorMessage(entry.status, entry.say), {
    ...extras,
    status: entry.status,
    contentType: scimContentType,
    headers: { ...noStore, ...extras.headers },
    refusal: note(refusal),
  })

/** How a refusal looks to whoever calls this endpoint. */
export type RefusalShape = 'json' | 'page' | 'problem' | 'scim'
const writers = { json: refuseAsJson, page: refuseAsPage, problem: refuseAsProblem, scim: refuseAsScim } as const

export function refuseHttp(shape: RefusalShape, reason: HttpErrorReason, detail?: Refusal['detail'], extras: Extras = {}): Answer {
  const entry = httpErrors[reason]
  const refusal: Refusal = detail ? { reason, detail } : { reason }
  return writers[shape](entry, refusal, extras)
}

const sentence = (say: string): string => `${say.charAt(0).toUpperCase()}${say.slice(1)}.`
