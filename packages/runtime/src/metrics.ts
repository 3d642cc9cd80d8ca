/** Every metric of the house in one list, over prom-client. Labels are few and never hold what a stranger chose. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Name → kind, labels and help; `docs/reference/metrics.md` is printed from it. */
export const metricList = {
  drawbridge_http_requests_total: {
    kind: 'counter',
    labels: ['endpoint', 'status'],
    help: 'HTTP requests answered, by endpoint template and status',
  },
  drawbridge_http_request_seconds: { kind: 'histogram', labels: ['endpoint'], help: 'Time from the first byte of a request to its answer' },
  drawbridge_refusals_total: { kind: 'counter', labels: ['reason'], help: 'Refusals, by catalogue reason' },
  drawbridge_login_failures_total: {
    kind: 'counter',
    labels: ['stage', 'proven'],
    help: 'Logins that failed, by stage, and whether the IdP was proven to have spoken',
  },
  drawbridge_unusable_upstreams_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'ALARM: enabled connections and trusts that admit nobody because what is stored of them cannot be used here, by reason; counted each time a process reads the tenant',
  },
  drawbridge_recorded_logins_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Logins to be recorded, by outcome: kept, unwanted (recording has just been switched off), too_many waiting, too_large, failed',
  },
  drawbridge_rate_limited_total: { kind: 'counter', labels: ['limit'], help: 'Requests refused by a named rate limit' },
  drawbridge_tokens_issued_total: { kind: 'counter', labels: ['grant_type'], help: 'Access tokens issued' },
  drawbridge_user_codes_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Codes of devices that people typed, by outcome: found, unknown, locked (ALARM: somebody guesses), declined (not her device)',
  },
  drawbridge_deprovisioning_events_total: { kind: 'counter', labels: ['source', 'target'], help: 'Deprovisioning events accepted' },
  drawbridge_signals_total: {
    kind: 'counter',
    labels: ['way', 'outcome'],
    help: 'Signals of IdPs by way (revocation, push, poll) and outcome (done, nothing, unmatched, repeated, refused)',
  },
  drawbridge_signal_polls_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Turns of streams of security events that are fetched from their transmitters, by outcome (answered; held: answered with events that cannot be judged or kept now; failed)',
  },
  drawbridge_signal_verifications_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Checks of streams of security events, by outcome (asked, unanswered, failed: the transmitter did not take the question)',
  },
  drawbridge_signal_stream_alarms_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'ALARM: streams of security events that cannot be fetched (unreachable), are fetched but cannot be asked how they are (unmanaged), did not verify themselves (silent), or brought what is not believed (refused)',
  },
  drawbridge_mass_revocations_total: {
    kind: 'counter',
    labels: [],
    help: 'Alarms because signals of one connection took away very many people',
  },
  drawbridge_logouts_total: {
    kind: 'counter',
    labels: ['way', 'outcome'],
    help: 'Logouts by way (backchannel, frontchannel, saml, here) and outcome (ended, nothing, refused)',
  },
  drawbridge_mass_logouts_total: {
    kind: 'counter',
    labels: ['barrier'],
    help: 'ALARM: logouts of an IdP that a barrier had to carry out, by whose (subject, connection)',
  },
  drawbridge_notices_delivered_total: { kind: 'counter', labels: [], help: 'Revocation notices handed to guards and receivers' },
  drawbridge_notice_acknowledged_seconds: {
    kind: 'histogram',
    labels: [],
    help: 'From the barrier of a deprovisioning event to the acknowledgement by one guard instance',
  },
  drawbridge_time_to_dead_seconds: {
    kind: 'histogram',
    labels: [],
    help: 'From the barrier of a deprovisioning event until every guard instance that had to hear had acknowledged, or had lapsed; without what none had to hear',
  },
  drawbridge_notices_refused_total: { kind: 'counter', labels: [], help: 'Revocation notices that a guard or receiver could not believe' },
  drawbridge_pushes_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Events pushed to receivers, by outcome of a try: taken, disbelieved, trouble',
  },
  drawbridge_event_streams_ended_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'ALARM: event streams that were disabled or held, by reason: backlog_too_old, backlog_too_long, inactive, credential_ended',
  },
  drawbridge_outbox_waiting: { kind: 'gauge', labels: [], help: 'Outbox entries not yet done, without dead letters' },
  drawbridge_dead_letters: {
    kind: 'gauge',
    labels: ['kind'],
    help: 'ALARM above 0: work that was given up until an admin replays it, by kind (revoke: an emergency; other)',
  },
  drawbridge_dead_letters_total: { kind: 'counter', labels: ['kind'], help: 'Work that was given up after its last round' },
  drawbridge_jobs_total: {
    kind: 'counter',
    labels: ['job', 'outcome'],
    help: 'Background jobs run, by outcome: done, failed, overdue (longer than its limit)',
  },
  drawbridge_metadata_looks_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Looks at the metadata of IdPs: unchanged, changed, held for an admin, failed',
  },
  drawbridge_signing_key_rotations_total: {
    kind: 'counter',
    labels: ['purpose', 'cause'],
    help: 'Signing keys that took over by themselves, by purpose and cause: age, algorithm (another one was chosen)',
  },
  drawbridge_signing_keys_withdrawn_total: {
    kind: 'counter',
    labels: ['purpose'],
    help: 'Retired and condemned signing keys whose private half was destroyed, by purpose',
  },
  drawbridge_signing_key_failures_total: {
    kind: 'counter',
    labels: ['what'],
    help: 'ALARM: keys of one issuer that could not be rotated or withdrawn in this round: rotate, withdraw',
  },
  drawbridge_certificate_warnings_total: { kind: 'counter', labels: ['days'], help: 'Ends of IdP certificates told, by days left' },
  drawbridge_domain_proofs_lapsed_total: { kind: 'counter', labels: [], help: 'ALARM: proofs of domains that lapsed' },
  drawbridge_domain_checks_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Re-verifications of proven domains, by what the DNS said',
  },
  drawbridge_announcements_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Announcements to contacts of tenants, by outcome of a try: sent, failed for good, delayed',
  },
  drawbridge_announcements_waiting: { kind: 'gauge', labels: [], help: 'Announcements to contacts that have not been sent yet' },
  drawbridge_deliveries_total: {
    kind: 'counter',
    labels: ['kind', 'outcome'],
    help: 'Tries of calls that must arrive, by kind (backchannel_logout, webhook) and outcome: delivered, delayed, dead (ALARM: given up)',
  },
  drawbridge_webhooks_disabled_total: {
    kind: 'counter',
    labels: [],
    help: 'ALARM: webhook endpoints that were disabled, because they had failed for days or said that they are gone',
  },
  drawbridge_deliveries_waiting: { kind: 'gauge', labels: [], help: 'Calls that must arrive and have not yet' },
  drawbridge_deliveries_dead: {
    kind: 'gauge',
    labels: [],
    help: 'ALARM: calls that were given up, and neither replayed nor forgotten yet',
  },
  drawbridge_policy_unclear_rules_total: {
    kind: 'counter',
    labels: [],
    help: 'Rules of policies that could not be evaluated in a decision and counted strictly',
  },
  drawbridge_configuration_loads_total: { kind: 'counter', labels: [], help: 'Loads of a tenant configuration into the cache' },
} as const satisfies Record<string, MetricEntry>

type MetricEntry = { readonly kind: 'counter' | 'gauge' | 'histogram'; readonly labels: readonly string[]; readonly help: string }
export type MetricName = keyof typeof metricList
type Labels = Readonly<Record<string, string>>

export type Metrics = {
  count(name: MetricName, labels?: Labels, by?: number): void
  observe(name: MetricName, labels: Labels, seconds: number): void
  set(name: MetricName, value: number, labels?: Labels): void
  /** The Prometheus text form, with the process's own figures. */
  print(): Promise<string>
  readonly contentType: string
}

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30]

/** One registry per process; `withProcess: false` leaves out the process's own figures, for tests that make many. */
export function createMetrics(options: { readonly withProcess: boolean } = { withProcess: true }): Metrics {
  const registry = new Registry()
  if (options.withProcess) collectDefaultMetrics({ register: registry })
  const counters = new Map<string, Counter>()
  const gauges = new Map<string, Gauge>()
  const histograms = new Map<string, Histogram>()
  for (const [name, { kind, labels, help }] of Object.entries<MetricEntry>(metricList)) {
    const shape = { name, help, labelNames: [...labels], registers: [registry] }
    if (kind === 'counter') counters.set(name, new Counter(shape))
    else if (kind === 'gauge') gauges.set(name, new Gauge(shape))
    else histograms.set(name, new Histogram({ ...shape, buckets: requestSeconds }))
  }
  return {
    count: (name, labels = {}, by = 1) => counters.get(name)?.inc({ ...labels }, by),
    observe: (name, labels, seconds) => histograms.get(name)?.observe({ ...labels }, seconds),
    set: (name, value, labels = {}) => gauges.get(name)?.set({ ...labels }, value),
    print: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
