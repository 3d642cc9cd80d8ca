/**
 * An endpoint: what it answers to, where that is specified, how its input is parsed, and what it does. Plain data.
 *
 * Registered once, it appears in the router, the documentation and the metrics. It does not know which HTTP library calls it;
 * `hot` ones are dispatched straight from `node:http`, the others by Express, and neither can tell.
 */
import { err, ok, type Result } from '@drawbridge/core/result'
import type { RequestId, TenantSlug } from '@drawbridge/core/tenant/ids'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import type { Answer } from './answer.js'
import { httpErrors } from './error.js'
import type { FormRefusal, SingleValuedForm } from './form.js'
import type { IssuerLimit, LimitOfOne, SameAtFront, Spendable } from './limit-at.js'
import type { ResolvedTenant } from './tenant.js'
import { type RefusalShape, refuseAsProblem, refuseHttp } from './write-error.js'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export type HttpRequest<Parsed = unknown, Caller = unknown> = {
  readonly method: Method
  /** Decoded path without the query. */
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  readonly query: Result<SingleValuedForm, FormRefusal>
  /** As it stood behind the question mark: for whoever must verify a signature over its octets, and for nobody else. */
  readonly rawQuery: string
  readonly form: Result<SingleValuedForm, FormRefusal>
  /** By the names of their fields; only of an endpoint that takes files. */
  readonly files: ReadonlyMap<string, Buffer>
  readonly json: Result<unknown, 'json_malformed'>
  readonly rawBody: Buffer
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly cookies: ReadonlyMap<string, string>
  /** By whom it is counted and written down. Nothing is allowed for it: see `knownAddress`. */
  readonly address: string
  /** From where it comes, for policies. Absent where it did not come through all proxies of the operator's own. */
  readonly knownAddress: string | undefined
  /** Two letters, where a proxy of the operator's own says it. */
  readonly country: string | undefined
  readonly requestId: RequestId
  /** Resolved whenever the path has `:tenant`, and at the front issuer. */
  readonly tenant?: ResolvedTenant
  readonly parsed: Parsed
  readonly caller: Caller
  /** Takes one of a further named limit of this client address, or of `of` alone, from wherever it comes. The refusal: there was none left. */
  readonly spend: (limit: Spendable, of?: string) => Answer | undefined
}

/** A parser shows its schema to the documentation and its type to the endpoint. */
export type Parser<Parsed> = { readonly schema?: z.ZodType; readonly parse: (http: HttpRequest) => Result<Parsed, Answer> }

export type EndpointDefinition<Parsed, Caller> = {
  readonly method: Method
  /** `/t/:tenant/token`: literal segments and `:names`. */
  readonly path: string
  readonly spec: string
  readonly summary: string
  readonly hot?: true
  /** How refusals of the HTTP layer look here. Default json. */
  readonly refusals?: RefusalShape
  readonly maxBodyBytes?: number
  /** A parameter without a value, in its query or form, is one that was left out: RFC 6749 §3.1, §3.2. */
  readonly omitsEmpty?: true
  /** Its form may come with files in it; elsewhere that is no form. */
  readonly takesFiles?: true
  /** Browsers of other origins may call it, without credentials. */
  readonly cors?: true
  readonly rateLimit?: LimitOfOne
  /** What everybody together spends of the tenant that the path names. Nothing that ends or takes away has one: strangers could use it up. */
  readonly tenantLimit?: IssuerLimit | SameAtFront
  /** What its client address counts under, where that is not everything that comes from there. */
  readonly addressLimit?: LimitOfOne
  /** Whose calls leave the limit of their address alone. They have one of their own, which `authorize` takes from, or `sparedLimit` says. */
  readonly sparesAddress?: (caller: Pick<HttpRequest, 'params' | 'headers' | 'address'>, deps: BrokerDeps) => boolean
  /** What those spend whom `sparesAddress` spares, in place of every limit of their address. */
  readonly sparedLimit?: {
    readonly limit: LimitOfOne
    readonly of: (caller: Pick<HttpRequest, 'params' | 'headers' | 'address'>) => string
  }
  /** Answers though the tenant is suspended: keys, metadata and notices must outlive a suspension. */
  readonly servesSuspended?: true
  readonly tag?: string
  /** What the documentation says of the caller's proof, e.g. a permission. */
  readonly permission?: string
  /** The query that it reads, for the documentation. */
  readonly query?: z.ZodType
  /** Every reason by which it may refuse, for the documentation. */
  readonly refuses?: readonly string[]
  /** What it answers when all is well, for the documentation. */
  readonly output?: { readonly status: number; readonly schema?: z.ZodType }
  readonly authorize?: (http: HttpRequest, deps: BrokerDeps) => Promise<Result<Caller, Answer>>
  readonly parse?: Parser<Parsed> | ((http: HttpRequest) => Result<Parsed, Answer>)
  readonly run: (http: HttpRequest<Parsed, Caller>, deps: BrokerDeps) => Promise<Answer> | Answer
}

/** The tenant that a credential of a request at the front issuer names; `undefined`: none does. It is proven later, as at a tenant's own issuer. */
export type NamingCredential = (http: Omit<HttpRequest, 'spend'>) => TenantSlug | undefined
/** The tenant that is meant where no credential names one. It proves as little. */
export type NamedOtherwise = (http: Omit<HttpRequest, 'spend'>, deps: BrokerDeps) => TenantSlug | undefined

/** An endpoint whose types have been checked and put away. */
export type Endpoint = Omit<EndpointDefinition<never, never>, 'authorize' | 'parse' | 'run'> & {
  readonly refusals: RefusalShape
  readonly schema: z.ZodType | undefined
  /** It is of the front issuer, whose path names no tenant: by which credential a request does. */
  readonly front?: { readonly namedBy: NamingCredential; readonly namedOtherwise?: NamedOtherwise }
  /** The tenant of its path is meant as a member of the front issuer. */
  readonly ofMember?: true
  /** Authorize, parse, run, in this order: a stranger learns nothing from a parse error. */
  readonly serve: (http: HttpRequest, deps: BrokerDeps) => Promise<Answer>
}

export function endpoint<Parsed = undefined, Caller = undefined>(definition: EndpointDefinition<Parsed, Caller>): Endpoint {
  const { authorize, parse, run, ...rest } = definition
  const parseRequest = typeof parse === 'function' ? parse : parse?.parse
  return {
    ...rest,
    refusals: definition.refusals ?? 'json',
    schema: typeof parse === 'object' ? parse.schema : undefined,
    serve: async (http, deps) => {
      const caller = authorize ? await authorize(http, deps) : ok(undefined as Caller)
      if (!caller.ok) return caller.error
      const parsed = parseRequest ? parseRequest(http) : ok(undefined as Parsed)
      if (!parsed.ok) return parsed.error
      return run({ ...http, parsed: parsed.value, caller: caller.value }, deps)
    },
  }
}

/** Parses a JSON body by a schema; every mistake is named in the problem document. */
export function jsonParser<S extends z.ZodType>(schema: S): Parser<z.output<S>> {
  return {
    schema,
    parse: (http) => {
      if (!http.json.ok) return err(refuseHttp('problem', 'json_malformed'))
      const parsed = schema.safeParse(http.json.value)
      if (parsed.success) return ok(parsed.data)
      const errors = parsed.error.issues.slice(0, 20).map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
      return err(refuseAsProblem(httpErrors.body_invalid, { reason: 'body_invalid' }, { errors }))
    },
  }
}

/** The tenant of an endpoint whose path has `:tenant`. */
export function tenantOf(http: { readonly tenant?: ResolvedTenant }): ResolvedTenant {
  if (!http.tenant) throw new Error('invariant broken: the path of this endpoint has no :tenant, and it is not of the front')
  return http.tenant
}
