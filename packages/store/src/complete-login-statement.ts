/** The statement of `complete-login`: the SQL alone. What it promises, and why, is told there. */
import { freshLoginSkewSeconds } from '@drawbridge/core/identity/fresh-login'
import { undecidedProvisioning } from '@drawbridge/core/identity/provisioning'
import { settleDirectoryEntry } from '@drawbridge/core/revocation/settled-grants'
import { alive, ongoingColumns } from './authorization-requests.js'
import { hotStatement, judged } from './transaction.js'
import { unnamedSince } from './unnamed-people.js'

const second = (at: string): string => `date_trunc('second', ${at}::timestamptz)`
const authenticatedAt = '$13'

/** Answers to what the directories say of her. `resync`: she would be out if those who are active and unnamed since a restore had left, and nothing else lets her in. */
const directoryState = `CASE
  WHEN count(*) FILTER (WHERE living) > 1 OR bool_or(living AND of_another) THEN 'ambiguous'
  WHEN bool_or(living AND NOT active) THEN 'inactive'
  WHEN bool_or(hers AND NOT living AND NOT unnamed) THEN 'tombstone'
  WHEN bool_or(living) THEN 'active'
  WHEN count(*) FILTER (WHERE NOT unnamed) > 0 THEN 'tombstone'
  WHEN count(*) > 0 THEN 'resync'
  WHEN EXISTS (SELECT 1 FROM namesakes WHERE gone) AND NOT EXISTS (SELECT 1 FROM namesakes WHERE NOT gone) THEN 'tombstone'
  WHEN EXISTS (SELECT 1 FROM namesakes WHERE unnamed) AND NOT EXISTS (SELECT 1 FROM namesakes WHERE NOT gone AND NOT unnamed) THEN 'resync' ELSE 'none' END`

/** Of `scim_users u`: who may name somebody of another connection, by being out, or by being unnamed since a restore, who may be out. */
const isOut = '(u.deleted_at IS NOT NULL OR NOT u.active)'
const isToBeNamed = `(${unnamedSince} IS NOT NULL)`

/** What a login says of her, without how and when she signed in. */
export const said = (claims: string): string => `(${claims} - '{authentication,idpSession,sessionExpiresAt}'::text[])`

/**
 * What a person's row becomes where what is said of her `differs`: an SQL condition. Beside a CTE `changes`. The time of her barrier does not go back, whichever
 * replica's clock it is by; so no time says whether it was raised (`areClaimsRaised`).
 */
export const claimsRaisedWhere = (differs: string): string => `(claims_version, claims_barrier, claims_barrier_at) = (
        SELECT subjects.claims_version + CASE WHEN differs THEN 1 ELSE 0 END,
          CASE WHEN differs AND is_now THEN subjects.claims_version + 1 ELSE subjects.claims_barrier END,
          CASE WHEN differs AND is_now THEN GREATEST(subjects.claims_barrier_at, $6) ELSE subjects.claims_barrier_at END
        FROM changes, (SELECT ${differs} AS differs) compared)`

/** Of the `person` that was written: her barrier is above what was `known` of her. Never of a newcomer. */
export const areClaimsRaised = 'claims_barrier > (SELECT claims_version FROM known)'

/** A name without case, whatever the locale of the cluster: as `keyOfLink` lowers it. With the collation of the columns, whose indexes serve no other. */
const nameKey = (text: string): string => `(lower(${text}::text COLLATE "und-x-icu") COLLATE "default")`

/** Whoever is out, by whichever word: what she could be let in by again is a tombstone. */
const goneAt = (subject: string): string => `COALESCE(${subject}.deactivated_at, ${subject}.deactivates_at)`
const isGone = (subject: string): string => `(${subject}.deactivated_at IS NOT NULL OR ${subject}.deactivates_at <= $6)`

/** All that a newcomer could be somebody by who is out. */
const namesOfNewcomer = `ARRAY[tombstone_key($10), tombstone_key($12), tombstone_key($17)]`

/** An invitation that she could use. */
const isHers = `i.tenant_id = $1 AND i.connection_id = $3 AND i.used_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $6
      AND (i.named_by = 'link_key' AND i.value = CASE WHEN $11::text IS NULL THEN $10 ELSE $12 END
        OR i.named_by = 'email' AND i.value = $17 AND EXISTS (SELECT 1 FROM proven WHERE proven.domain = $18))`

/** The link key that the connection declares, where it is of the kind by which the login's value was read. */
export const presentLinkKey = `(SELECT configuration ->> 'scimLinkKey' FROM connections WHERE tenant_id = $1 AND id = $3 AND configuration -> 'scimLinkKey' ->> 'scim' = $11::text)`

/** What `judgeProvisioning` of core asks of a person whom the directory does not shut out; a test holds the two together. */
const provisioningState = `CASE
  WHEN EXISTS (SELECT 1 FROM owners WHERE owners.tenant_id <> $1) THEN 'address_of_another'
  WHEN mode = 'scim_only' AND directory.state <> 'active' THEN 'directory_missing'
  WHEN of_lapsed_domain AND (NOT is_known OR makes_link) THEN 'domain_lapsed'
  WHEN makes_link AND $16::text IS NOT NULL AND NOT EXISTS (SELECT 1 FROM proven WHERE proven.domain = $16) THEN 'link_unproven'
  WHEN asks_invitation AND NOT EXISTS (SELECT 1 FROM invitation) THEN 'not_invited' END`

/** By which signals of nobody may have meant her: her ids, and her address (`heldAddress`). */
const namesOfHers = `ARRAY(
      SELECT unmatched_name(id) FROM UNNEST(ARRAY[$10, $12, 'mailto:' || $17::text]) AS given (id) UNION SELECT unmatched_name(external_id) FROM scim WHERE living)`

/** The last five lines are `judgeFreshness` of core; a test holds the two together. `beganNth`: the place of the trip in the order of logins and barriers. */
const verdictOf = (beganNth: string): string => `CASE
  WHEN (SELECT count(*) FROM entered) < cardinality($7::text[]) THEN 'login_replayed'
  WHEN barrier.resync_at IS NOT NULL AND directory.state IN ('active', 'none') AND (directory.created_at IS NULL OR directory.created_at < barrier.resync_at) THEN 'directory_resync'
  WHEN directory.state = 'active' AND directory.named_after < barrier.named_below THEN 'directory_resync'
  WHEN directory.state NOT IN ('active', 'none') THEN 'directory_' || directory.state
  WHEN (SELECT deactivated_at IS NOT NULL OR deactivates_at <= $6 FROM known) THEN 'subject_deactivated'
  WHEN told.deactivates THEN 'subject_deactivated'
  WHEN NOT facts.is_known AND directory.state = 'none' AND EXISTS (SELECT 1 FROM departed
    WHERE NOT EXISTS (SELECT 1 FROM invitations i WHERE ${isHers} AND i.created_at > departed.at)) THEN 'subject_tombstone'
  WHEN ${second('$5')} <= ${second('barrier.at')} THEN 'evidence_below_barrier'
  WHEN provisioning.refusal IS NOT NULL THEN provisioning.refusal
  WHEN ${beganNth} <= barrier.nth THEN 'fresh_login_required'
  WHEN barrier.at IS NULL OR ${second(authenticatedAt)} > ${second('barrier.at')} THEN 'believed'
  WHEN trip.demanded_at IS NULL OR ${second('trip.demanded_at')} <= ${second('barrier.at')} THEN 'fresh_login_required'
  WHEN ${authenticatedAt} >= trip.demanded_at - interval '${freshLoginSkewSeconds} seconds' THEN 'believed'
  ELSE 'login_not_fresh' END`

/** Why both statements that judge a login look at the domains of others. */
export const readsDomainsElsewhere = {
  domains: 'a login must not claim an address in a domain that another tenant has proven; nothing of that tenant is told',
} as const

/**
 * From the `trip`, consumed, to the `verdict` on it: as CTEs, so that a test is judged by the very words that judge a login. Parameters $1
 * to $18: `judgementParameters`.
 * `moreBarriers`: expressions for `GREATEST`, each after its comma, of what else the evidence must be newer than. `beganNth`: an expression; null where
 * nobody was sent to the IdP, so that its times alone say how new the evidence is.
 */
export function judgementOf({ moreBarriers, beganNth }: { readonly moreBarriers: string; readonly beganNth: string }): string {
  return `entered AS (
    INSERT INTO replays (tenant_id, connection_id, kind, id_hash, expires_at)
    SELECT $1, $3, kind, id_hash, $9 FROM trip CROSS JOIN UNNEST($7::text[], $8::bytea[]) AS given (kind, id_hash)
    ON CONFLICT DO NOTHING RETURNING 1
  ), known AS (
    SELECT id, scim_user_id, epoch, claims_version, deactivated_at, deactivates_at, barrier_at, barred_nth FROM subjects WHERE tenant_id = $1 AND connection_id = $3 AND stable_id = $10
  ), scim AS (
    SELECT u.id, u.external_id, u.active AND (u.ends_at <= $6) IS NOT TRUE AS active, u.created_at, u.named_after, u.deleted_at IS NULL AND u.connection_id = $3 AS living, u.id = (SELECT scim_user_id FROM known) AS hers,
      EXISTS (SELECT 1 FROM subjects other WHERE other.tenant_id = $1 AND other.scim_user_id = u.id
        AND NOT (other.connection_id = $3 AND other.stable_id = $10)) AS of_another, NOT (u.connection_id = $3 OR ${isOut}) AS unnamed
    FROM scim_users u WHERE u.tenant_id = $1 AND (u.connection_id = $3 OR ${isOut} OR ${isToBeNamed})
      AND (u.id = (SELECT scim_user_id FROM known) OR ($11::text = 'userName' AND u.user_name_key = $12)
        OR ($11::text = 'externalId' AND u.external_id = $12) OR ($11::text IS NULL AND u.external_id = $10))
  ), told AS (
    SELECT max(said_at) FILTER (WHERE connection_id = $3) AS at, max(said_nth) FILTER (WHERE connection_id = $3) AS nth,
      COALESCE(bool_or(deactivates AND connection_id = $3), false) AS deactivates
    FROM unmatched_signals WHERE tenant_id = $1 AND name = ANY (${namesOfHers})
  ), barrier AS (
    SELECT GREATEST(t.barrier_at, c.barrier_at, (SELECT barrier_at FROM known), (SELECT at FROM told)${moreBarriers}) AS at,
      GREATEST((SELECT barred_nth FROM known), (SELECT nth FROM told)) AS nth, c.resync_demanded_at AS resync_at,
      CASE WHEN c.unnamed_since IS NOT NULL THEN c.recoveries END AS named_below
    FROM tenants t JOIN connections c ON c.tenant_id = $1 AND c.id = $3 WHERE t.id = $1
  ), departed AS (
    SELECT ${goneAt('s')} AS at FROM subjects s WHERE s.tenant_id = $1 AND ${isGone('s')} AND tombstone_key(s.stable_id) = ANY (${namesOfNewcomer})
    UNION ALL
    SELECT ${goneAt('s')} AS at FROM subjects s WHERE s.tenant_id = $1 AND ${isGone('s')} AND tombstone_key(s.link_value) = ANY (${namesOfNewcomer})
    UNION ALL
    SELECT ${goneAt('s')} AS at FROM subjects s WHERE s.tenant_id = $1 AND ${isGone('s')} AND s.email_key = ANY (ARRAY[${nameKey('$10')}, ${nameKey('$12')}, $17])
    UNION ALL
    SELECT ${goneAt('s')} FROM scim_users u JOIN subjects s ON s.tenant_id = $1 AND s.scim_user_id = u.id AND ${isGone('s')}
    WHERE u.tenant_id = $1 AND (u.user_name_key = ANY (ARRAY[${nameKey('$10')}, ${nameKey('$12')}, $17]) OR u.external_id = ANY (ARRAY[$10, $12]::text[]))
    UNION ALL
    SELECT said_at FROM unmatched_signals WHERE tenant_id = $1 AND connection_id <> $3 AND deactivates AND name = ANY (${namesOfHers})
  ), namesakes AS (
    SELECT CASE WHEN ${isOut} THEN true WHEN u.connection_id = $3 THEN false END AS gone, ${isToBeNamed} AS unnamed FROM scim_users u
    WHERE u.tenant_id = $1 AND (u.connection_id = $3 OR ${isOut} OR ${isToBeNamed})
      AND (u.user_name_key = ANY (ARRAY[${nameKey('$10')}, ${nameKey('$12')}, $17]) OR u.external_id = ANY (ARRAY[$10, $12]::text[]))
  ), directory AS (
    SELECT ${directoryState} AS state, max(created_at) FILTER (WHERE living AND active) AS created_at, min(named_after) FILTER (WHERE living AND active) AS named_after, (array_agg(id) FILTER (WHERE living AND active))[1] AS scim_user_id FROM scim
  ), owners AS (
    SELECT DISTINCT ON (asked.address) d.tenant_id FROM UNNEST($14::text[], $15::int[]) AS asked (domain, address)
    JOIN domains d ON d.domain = asked.domain AND d.verified_at IS NOT NULL ORDER BY asked.address, length(asked.domain) DESC
  ), proven AS (
    SELECT domain FROM domains WHERE tenant_id = $1 AND verified_at IS NOT NULL AND (connection_id IS NULL OR connection_id = $3)
  ), invitation AS (
    SELECT i.id FROM invitations i WHERE ${isHers}
    ORDER BY i.created_at, i.id LIMIT 1
  ), facts AS MATERIALIZED (
    SELECT COALESCE(t.provisioning_mode, '${undecidedProvisioning}') AS mode, EXISTS (SELECT 1 FROM known) AS is_known,
      (SELECT scim_user_id FROM known) IS NULL AND directory.scim_user_id IS NOT NULL AS makes_link,
      COALESCE(t.provisioning_mode, '${undecidedProvisioning}') = 'invited_only' AND NOT EXISTS (SELECT 1 FROM known) AS asks_invitation,
      EXISTS (SELECT 1 FROM domains d WHERE d.tenant_id = $1 AND d.domain = ANY ($14::text[]) AND d.lapsed_at IS NOT NULL AND d.verified_at IS NULL)
        AS of_lapsed_domain
    FROM tenants t, directory WHERE t.id = $1
  ), provisioning AS MATERIALIZED (
    SELECT asks_invitation, ${provisioningState} AS refusal FROM facts, directory
  ), verdict AS (
    SELECT trip.*, directory.scim_user_id, provisioning.asks_invitation, ${verdictOf(beganNth)} AS outcome FROM trip, barrier, told, directory, facts, provisioning
  )`
}

/** Of a login, and of a test. */
export const judgement = judgementOf({ moreBarriers: '', beganNth: 'COALESCE(trip.began_nth, 0)' })

export const completeStatement = hotStatement({
  name: 'complete_login',
  tenantParameter: 1,
  readsElsewhere: readsDomainsElsewhere,
  text: `WITH trip AS (
    UPDATE login_requests SET consumed_at = $6, session_id = $21 WHERE tenant_id = $1 AND id = $2 AND connection_id = $3 AND browser_hash = $4 AND consumed_at IS NULL
      AND purpose IN ('login', 'enrol') AND ${judged('expires_at > $6')}
      AND tenant_epoch = (SELECT epoch FROM tenants WHERE id = $1 AND suspended_at IS NULL)
      AND connection_epoch = (SELECT epoch FROM connections WHERE tenant_id = $1 AND id = $3 AND disabled_at IS NULL)
    RETURNING authorization_request_id, tenant_epoch, connection_epoch, CASE WHEN fresh_demanded THEN created_at END AS demanded_at, began_nth
  ), ${judgement}, held AS MATERIALIZED (
    SELECT hold_directory($1, $3, scim_user_id, $11, $12, $10, $17) AS in_directory, hold_idp_session($1, $3, $31, began_nth) AS in_idp_session,
      hold_signals($1, $3, $10, $12, scim_user_id, $17, told.at, told.nth) AS in_signals, directory_end($1, scim_user_id) AS ends_at
    FROM verdict, told WHERE outcome = 'believed'
  ), taken AS (
    UPDATE invitations i SET used_at = $6 FROM verdict WHERE i.tenant_id = $1 AND i.id = (SELECT id FROM invitation) AND i.used_at IS NULL
      AND i.revoked_at IS NULL AND EXISTS (SELECT 1 FROM held WHERE in_directory AND in_idp_session AND in_signals) AND verdict.asks_invitation RETURNING i.id
  ), changes AS (
    SELECT COALESCE(claim_changes, 'now') = 'now' AS is_now FROM tenants WHERE id = $1
  ), person AS (
    INSERT INTO subjects (tenant_id, id, connection_id, stable_id, scim_user_id, claims, email_key, link_value, link_key, claims_at, created_at, last_login_at, deactivates_at)
    SELECT $1, $19, $3, $10, scim_user_id, $20, $17, $12, ${presentLinkKey}, $6, $6, $6, (SELECT ends_at FROM held) FROM verdict
    WHERE EXISTS (SELECT 1 FROM held WHERE in_directory AND in_idp_session AND in_signals) AND (NOT asks_invitation OR EXISTS (SELECT 1 FROM taken))
    ON CONFLICT (tenant_id, connection_id, stable_id) DO UPDATE SET
      claims = EXCLUDED.claims, email_key = EXCLUDED.email_key, link_value = COALESCE(EXCLUDED.link_value, subjects.link_value),
      link_key = CASE WHEN EXCLUDED.link_value IS NULL THEN subjects.link_key ELSE EXCLUDED.link_key END, claims_at = EXCLUDED.claims_at, last_login_at = EXCLUDED.last_login_at,
      ${claimsRaisedWhere(`${said('subjects.claims')} <> ${said('EXCLUDED.claims')}`)},
      scim_user_id = COALESCE(subjects.scim_user_id, EXCLUDED.scim_user_id), deactivates_at = COALESCE(EXCLUDED.deactivates_at, subjects.deactivates_at)
    WHERE subjects.epoch = COALESCE((SELECT epoch FROM known), 1) AND subjects.deactivated_at IS NULL
      AND (subjects.deactivates_at <= $6) IS NOT TRUE
    RETURNING id, epoch, claims_version, claims_barrier, factors_reset_at, deactivates_at
  ), queued AS (
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
    SELECT $1, '${settleDirectoryEntry}', jsonb_build_object('connection', $3::uuid, 'subjects', jsonb_build_array(person.id)), $6
    FROM person WHERE ${areClaimsRaised} RETURNING id
  ), session AS (
    INSERT INTO browser_sessions (tenant_id, id, issuer_id, handle_hash, subject_id, connection_id, tenant_epoch, connection_epoch, subject_epoch,
      acr, amr, authenticated_at, idp_session, idp_session_name, idp_subject_name, sealed_logout_hint, created_at, expires_at, first_session_id)
    SELECT $1, $21, $22, $23, person.id, $3, verdict.tenant_epoch, verdict.connection_epoch, person.epoch, $24, $25, ${authenticatedAt}, $26, $32, $33, $34, $6, $27,
      (SELECT COALESCE(first_session_id, id) FROM browser_sessions WHERE tenant_id = $1 AND handle_hash = $30)
    FROM verdict, person
    RETURNING id, subject_id, tenant_epoch, connection_epoch, subject_epoch
  ), replaced AS (
    UPDATE browser_sessions b SET ended_at = $6, sealed_logout_hint = NULL FROM session WHERE b.tenant_id = $1 AND b.handle_hash = $30 AND b.ended_at IS NULL
  ), moved AS (
    UPDATE authorization_requests r SET session_id = (SELECT id FROM session), subject_id = (SELECT id FROM person), step = 'login'
    WHERE r.tenant_id = $1 AND r.id = (SELECT authorization_request_id FROM verdict WHERE outcome = 'fresh_login_required' OR EXISTS (SELECT 1 FROM session))
      AND r.browser_hash = $4 AND ${judged('r.expires_at > $6')} AND ${alive}
    RETURNING ${ongoingColumns}
  ), final AS (
    SELECT CASE WHEN outcome <> 'believed' OR EXISTS (SELECT 1 FROM session) THEN outcome
      WHEN EXISTS (SELECT 1 FROM held WHERE NOT in_idp_session) THEN 'idp_session_ended'
      WHEN asks_invitation AND NOT EXISTS (SELECT 1 FROM taken) THEN 'not_invited' ELSE 'evidence_below_barrier' END AS outcome FROM verdict
  ), audited AS (
    INSERT INTO audit_events (tenant_id, at, kind, issuer_id, subject_id, client_id, connection_id, scopes, reason, detail, request_id, address)
    SELECT $1, $6, CASE WHEN outcome = 'believed' THEN 'login_completed' ELSE 'login_refused' END, $22,
      COALESCE((SELECT id FROM person), (SELECT id FROM known)), asked.client_id, $3,
      ARRAY(SELECT jsonb_array_elements_text(asked.request->'scopes')), NULLIF(outcome, 'believed'),
      jsonb_strip_nulls(jsonb_build_object('invitation', (SELECT id FROM taken))), $28, $29
    FROM final LEFT JOIN authorization_requests asked ON asked.tenant_id = $1 AND asked.id = (SELECT authorization_request_id FROM trip)
  )
  SELECT final.outcome, moved.*, t.configuration_version, t.policy_version, session.id AS opened_id, session.subject_id AS opened_for,
    session.tenant_epoch, session.connection_epoch, session.subject_epoch, person.claims_version, person.factors_reset_at, person.deactivates_at,
    cn.directory_version, directory_decides_groups(cn.configuration, cn.groups_since) OR directory_decides_claims(cn.configuration) AS directory_decides,
    (SELECT count(pg_notify('drawbridge_outbox', $1::uuid::text)) FROM queued) AS woken
  FROM tenants t LEFT JOIN final ON true LEFT JOIN moved ON true LEFT JOIN session ON true LEFT JOIN person ON true
    LEFT JOIN connections cn ON cn.tenant_id = $1 AND cn.id = $3 WHERE t.id = $1`,
})
