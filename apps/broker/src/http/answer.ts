/** What an endpoint answers: plain data. Only `write-answer` turns it into HTTP. */
import type { Html } from './html.js'
import type { PageScript } from './page.js'

/** Why an answer refuses. For the log and the counters, never for the wire. */
export type RefusalNote = { readonly reason: string; readonly detail?: Readonly<Record<string, unknown>> }

type Common = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Whole `Set-Cookie` values, made by `cookies`. */
  readonly setCookies?: readonly string[]
  readonly refusal?: RefusalNote
  /** The one origin whose pages may show it in a frame; nobody else’s may, and without it nobody’s. */
  readonly framedBy?: string
}
export type Answer = Common &
  (
    | { readonly kind: 'json'; readonly body: unknown; readonly contentType?: string }
    | {
        readonly kind: 'page'
        readonly title: string
        readonly body: Html
        readonly formTargets?: readonly string[]
        /** No form of it leads to us. */
        readonly leavesUs?: true
        readonly script?: PageScript
        /** It shows pictures from here. */
        readonly hasPictures?: boolean
      }
    | { readonly kind: 'redirect'; readonly location: string }
    | { readonly kind: 'problem'; readonly problem: Problem }
    | { readonly kind: 'text'; readonly contentType: string; readonly text: string }
    /** Of strangers, and shown as `contentType` and as nothing else, whatever it holds. */
    | { readonly kind: 'picture'; readonly contentType: string; readonly octets: Buffer }
    /** JSON in parts, of which some may be shared with other answers: they are sent as they are, and not copied. */
    | { readonly kind: 'json_parts'; readonly parts: readonly Buffer[] }
    | { readonly kind: 'empty' }
  )

/** @spec RFC 9457 §3 */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly detail?: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
}

type Extras = Pick<Common, 'headers' | 'setCookies' | 'refusal' | 'framedBy'>

export const json = (body: unknown, extras: Extras & { readonly status?: number; readonly contentType?: string } = {}): Answer => ({
  kind: 'json',
  status: 200,
  body,
  ...extras,
})
export const jsonInParts = (parts: readonly Buffer[], extras: Extras & { readonly status?: number } = {}): Answer => ({
  kind: 'json_parts',
  status: 200,
  parts,
  ...extras,
})
export const page = (
  title: string,
  body: Html,
  extras: Extras &
    Pick<Extract<Answer, { kind: 'page' }>, 'formTargets' | 'leavesUs' | 'script' | 'hasPictures'> & { readonly status?: number } = {},
): Answer => ({ kind: 'page', status: 200, title, body, ...extras })
/** 303 by default: the next request is a GET whatever this one was. RFC 9700 §4.12 forbids 307 here. */
export const redirect = (location: string, extras: Extras & { readonly status?: 302 | 303 } = {}): Answer => ({
  kind: 'redirect',
  status: 303,
  location,
  ...extras,
})
export const empty = (status = 204, extras: Extras = {}): Answer => ({ kind: 'empty', status, ...extras })
export const text = (contentType: string, body: string, extras: Extras & { readonly status?: number } = {}): Answer => ({
  kind: 'text',
  status: 200,
  contentType,
  text: body,
  ...extras,
})
export const picture = (contentType: string, octets: Buffer, extras: Extras = {}): Answer => ({
  kind: 'picture',
  status: 200,
  contentType,
  octets,
  ...extras,
})
export const problem = (status: number, value: Problem, extras: Extras = {}): Answer => ({
  kind: 'problem',
  status,
  problem: value,
  ...extras,
})

/** The same, and these are set besides what it sets itself. */
export const withCookies = (answer: Answer, setCookies: readonly string[]): Answer =>
  setCookies.length === 0 ? answer : { ...answer, setCookies: [...(answer.setCookies ?? []), ...setCookies] }
