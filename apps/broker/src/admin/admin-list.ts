/**
 * How every list of the admin API is made: at most `mostPerPage` rows, and in `next` what to send for the page behind them.
 *
 * Newest-first lists go on with `?before=`, the others with `?after=`. A position names a row, not a number of rows, so nothing is
 * skipped or shown twice when rows are written meanwhile.
 */
import { type MomentPosition, mostPerPage, type Page } from '@drawbridge/store/admin-page'
import { z } from 'zod'
import type { BrokerDeps } from '../deps.js'
import { json } from '../http/answer.js'
import type { Endpoint } from '../http/endpoint.js'
import { type AdminEndpointDefinition, type AdminRequest, adminEndpoint } from './admin-endpoint.js'
import { refuseAdmin } from './refuse-admin.js'
import { fromIso, toIso } from './shapes.js'

const limit = z
  .string()
  .regex(/^[1-9]\d{0,2}$/, 'a whole number')
  .transform(Number)
  .pipe(z.int().max(mostPerPage))
  .optional()
  .describe(`How many, at most ${mostPerPage}`)

/** A name, as the list shows it. Control characters are in none. */
const name = z.string().regex(/^\P{Cc}{1,2048}$/u, 'what the member next of the page before says')

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const momentAndId = new RegExp(`^(\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,3})?Z)(?:~(${uuid}))?$`)
const leastId = '00000000-0000-0000-0000-000000000000'

/** A time, or a time and an id. Before a time alone is before every row of that moment. */
const moment = z.string().transform((text, context): MomentPosition => {
  const [, at = '', id = leastId] = momentAndId.exec(text) ?? []
  if (z.iso.datetime().safeParse(at).success && new Date(at).getUTCFullYear() > 0) return { at: fromIso(at), id }
  context.addIssue({ code: 'custom', message: 'what the member next of the page before says, or a time in UTC' })
  return z.NEVER
})

/** A serial number. PostgreSQL's own end before JavaScript's exact ones do not. */
const serial = z
  .string()
  .regex(/^\d{1,15}$/, 'a whole number')
  .transform(Number)

const id = z.uuid('what the member next of the page before says').toLowerCase()

const positions = { name, moment, serial, id } as const
type Positions = { readonly name: string; readonly moment: MomentPosition; readonly serial: number; readonly id: string }
export type PositionKind = keyof Positions

export const momentPosition = (at: Parameters<typeof toIso>[0], id: string): string => `${toIso(at)}~${id}`

type Filters = Readonly<Record<string, z.ZodType>>
type Asked<F extends Filters> = { readonly [Name in keyof F]: z.output<F[Name]> }

export type AdminListDefinition<K extends PositionKind, Row, Shown extends z.ZodType, F extends Filters> = Pick<
  AdminEndpointDefinition<undefined, undefined>,
  'path' | 'summary' | 'permission' | 'vendorOnly' | 'tag' | 'refuses'
> & {
  /** The member of the answer that holds the rows. */
  readonly member: string
  readonly shown: Shown
  /** The parameter that goes on, and what it holds. */
  readonly position: readonly [parameter: 'before' | 'after', kind: K]
  readonly filters?: F
  /** `undefined`: what the list is of does not exist. */
  readonly read: (
    http: AdminRequest<undefined, Asked<F>>,
    deps: BrokerDeps,
    page: Page<Positions[K]>,
  ) => Promise<readonly Row[] | undefined>
  readonly show: (row: Row, deps: BrokerDeps, http: AdminRequest<undefined, Asked<F>>) => z.output<Shown>
  readonly positionOf: (row: Row) => string | number
}

export function adminList<K extends PositionKind, Row, Shown extends z.ZodType, F extends Filters = Record<never, never>>(
  definition: AdminListDefinition<K, Row, Shown, F>,
): Endpoint {
  const { member, shown, position, filters, read, show, positionOf, ...rest } = definition
  const [parameter, kind] = position
  return adminEndpoint({
    ...rest,
    method: 'GET',
    query: z.strictObject({ ...filters, limit, [parameter]: positions[kind].optional().describe('The member next of the page before') }),
    answer: z.strictObject({
      [member]: z.array(shown).max(mostPerPage),
      next: z.string().nullable().describe(`What to send as ${parameter} for the next page; null: there is none`),
    }),
    run: async (http, deps) => {
      const asked = http.asked as Readonly<Record<string, unknown>>
      const wanted = (asked['limit'] as number | undefined) ?? mostPerPage
      // One more than wanted tells whether there is a next page.
      const page = { from: asked[parameter] as Positions[K] | undefined, limit: wanted + 1 }
      const request = { ...http, asked: asked as Asked<F> }
      const rows = await read(request, deps, page)
      if (rows === undefined) return refuseAdmin('not_found')
      const last = rows.length > wanted ? rows[wanted - 1] : undefined
      const next = last === undefined ? null : String(positionOf(last))
      return json({ [member]: rows.slice(0, wanted).map((row) => show(row, deps, request)), next })
    },
  })
}
