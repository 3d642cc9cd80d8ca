/** What a command of the admin API is: a line of data. Help, parser, call, output and the reference page all come from it. */
import type { AdminClient, Refused } from './admin-client.js'

/** What stands behind the words of a command, in order. Connections, trusts and resources are found by name or identifier, too. */
export const argumentWords = {
  tenant: 'the slug of a tenant',
  connection: 'a connection: its name or its id',
  trust: 'a trust: its name or its id',
  resource: 'a resource: its identifier or its id',
  'shared-resource': 'a resource of the vendor: its identifier or its id',
  domain: 'an e-mail domain',
  client: 'a client_id',
  kid: 'a key id',
  id: 'an id, as the list shows it',
  version: 'the number of a version',
  code: 'the code of a failed login, as the person was shown it',
  mode: 'just_in_time, scim_only or invited_only',
  name: 'a name for people',
  slug: 'lower-case letters, digits and hyphens, at most 63: part of the issuer, and for ever',
} as const
export type ArgumentName = keyof typeof argumentWords

export type FlagKind =
  | 'text'
  | 'switch'
  | 'number'
  /** May be given several times. */
  | 'list'
  /** The text of a file; `-`: of standard input. */
  | 'file'
  | 'files'
  /** A file with YAML or JSON, merged into the member. */
  | 'document'
  /** The value of a variable that is named: a secret is never an argument. */
  | 'from-env'
  /** The first line of a file that is named. */
  | 'from-file'
  /** The entity tag of what was seen: a condition of the request, and no part of its body. */
  | 'if-match'

export type Flag = {
  readonly kind: FlagKind
  readonly says: string
  /** Where it stands in the body or, of a list, in the query: `configuration.issuer`. Default: the flag in camelCase. */
  readonly member?: string
  readonly choices?: readonly string[]
  readonly required?: true
  /** One letter. */
  readonly short?: string
  /** What a switch says; default true. */
  readonly value?: unknown
}

/** How an answer looks to people. Columns: heading and member; a member may be dotted. */
export type Shows =
  | { readonly rows: string; readonly columns: readonly (readonly [heading: string, member: string])[]; readonly newestFirst?: true }
  | { readonly record: true }
  /** Said line by line already. */
  | { readonly nothing: true }
  /** Printed as it is: what another tool or a file takes. */
  | { readonly text: string }

export type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** `{tenant}` and its like are arguments of the command; those of `inBody` stand in the body under that name. */
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
  readonly inBody?: Partial<Readonly<Record<ArgumentName, string>>>
}

/** Words and flags of a command, read: `body` holds the flags at their members. */
export type Given = {
  /** The entity tag that the thing must still have. */
  readonly ifMatch?: string | undefined
  readonly arguments: Partial<Readonly<Record<ArgumentName, string>>>
  readonly body: Readonly<Record<string, unknown>>
}

export type Outcome =
  | { readonly kind: 'done'; readonly answer: unknown; readonly says?: string; readonly exitCode?: number }
  /** `answer`: what was done before, for machines. */
  | { readonly kind: 'refused'; readonly refused: Refused; readonly exitCode?: number; readonly answer?: unknown }
  /** Somebody was asked and said no; nobody was there to be asked. */
  | { readonly kind: 'declined' }
  | { readonly kind: 'unasked' }

export type Tools = {
  readonly client: AdminClient
  /** Asks, unless --yes was said. */
  readonly confirm: (question: string) => Promise<'agreed' | 'declined' | 'unasked'>
  /** For people; with --json on standard error. */
  readonly say: (line: string) => void
  /** What is shown once, at once: on standard output, unless --json puts it into the answer. */
  readonly show: (line: string) => void
  /** Of this process: secrets are named by their variables. */
  readonly environment: Readonly<Record<string, string | undefined>>
}
export type Run = (given: Given, tools: Tools) => Promise<Outcome>

export type AdminCommand = {
  readonly name: string
  readonly does: string
  readonly takes: readonly ArgumentName[]
  readonly flags?: Readonly<Record<string, Flag>>
  /** One call of the API; or `load`, for what needs several. */
  readonly call?: Call
  readonly load?: () => Promise<Run>
  /** Calls that `load` makes, `METHOD path`: the test that looks for every endpoint reads them. */
  readonly calls?: readonly string[]
  readonly shows?: Shows
  /** Asked before: what takes access away is never done by a slip. */
  readonly confirms?: string
  /** Said when it is done. */
  readonly done?: string
  readonly example: string
}

export const camelCase = (name: string): string => name.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
