/**
 * What each event that an IdP may tell does here: one table. A signal takes away or does nothing; nothing in here gives. security.md §12
 *
 * Where an event says which way something went and we cannot read it, it went the bad way.
 *
 * @spec CAEP 1.0 §3, RISC 1.0 §2, SSF 1.0 §8.1.4 and §8.1.5
 */
export type SignalEffect = {
  /** `barrier`: everything issued is dead, and only a fresh sign-in counts. `deactivation`: and she does not come in again. */
  readonly takes: 'barrier' | 'deactivation' | 'nothing'
  /** An admin has to look: what changed is a key of hers, or the stream itself. */
  readonly alarms?: true
}

type Event = Readonly<Record<string, unknown>>
type Rule = SignalEffect | ((event: Event) => SignalEffect)

const barrier: SignalEffect = { takes: 'barrier' }
const deactivation: SignalEffect = { takes: 'deactivation' }
const nothing: SignalEffect = { takes: 'nothing' }

const caep = 'https://schemas.openid.net/secevent/caep/event-type/'
const risc = 'https://schemas.openid.net/secevent/risc/event-type/'
const ssf = 'https://schemas.openid.net/secevent/ssf/event-type/'

const barrierUnless =
  (member: string, good: string) =>
  (event: Event): SignalEffect =>
    event[member] === good ? nothing : barrier

const rules: Readonly<Record<string, Rule>> = {
  [`${caep}session-revoked`]: barrier,
  [`${caep}credential-change`]: barrier,
  [`${caep}token-claims-change`]: barrier,
  [`${caep}assurance-level-change`]: barrierUnless('change_direction', 'increase'),
  [`${caep}device-compliance-change`]: barrierUnless('current_status', 'compliant'),
  [`${caep}session-established`]: nothing,
  [`${caep}session-presented`]: nothing,
  [`${caep}risk-level-change`]: nothing,
  [`${risc}account-disabled`]: deactivation,
  [`${risc}account-purged`]: deactivation,
  [`${risc}account-credential-change-required`]: barrier,
  [`${risc}credential-compromise`]: barrier,
  [`${risc}sessions-revoked`]: barrier,
  [`${risc}identifier-changed`]: { takes: 'barrier', alarms: true },
  [`${risc}identifier-recycled`]: { takes: 'barrier', alarms: true },
  // Would give: whoever was taken away is let in again by an admin or by the directory.
  [`${risc}account-enabled`]: nothing,
  [`${risc}opt-in`]: nothing,
  [`${risc}opt-out-initiated`]: nothing,
  [`${risc}opt-out-cancelled`]: nothing,
  [`${risc}opt-out-effective`]: nothing,
  [`${risc}recovery-activated`]: nothing,
  [`${risc}recovery-information-changed`]: nothing,
  [`${ssf}verification`]: nothing,
  [`${ssf}stream-updated`]: ({ status }) => (status === 'enabled' ? nothing : { takes: 'nothing', alarms: true }),
}

/** Every event that we know, by its last word. */
export const signalEventNames: readonly string[] = Object.keys(rules).map((type) => type.slice(type.lastIndexOf('/') + 1))

/** The events that are asked for at a transmitter: of those that a connection lists, all that are about people and may do something. */
export const eventTypesToRequest = (names: readonly string[]): readonly string[] =>
  Object.entries(rules).flatMap(([type, rule]) =>
    rule !== nothing && !isOfStream(type) && names.includes(type.slice(type.lastIndexOf('/') + 1)) ? [type] : [],
  )

/** `undefined`: an event of which we know nothing. It is acknowledged, recorded, and does nothing. */
export function effectOfSignal(type: string, event: Event): (SignalEffect & { readonly name: string }) | undefined {
  const rule = Object.hasOwn(rules, type) ? rules[type] : undefined
  if (rule === undefined) return undefined
  return { name: type.slice(type.lastIndexOf('/') + 1), ...(typeof rule === 'function' ? rule(event) : rule) }
}

/** Events that name the stream and no person. */
export const isOfStream = (type: string): boolean => type.startsWith(ssf)
