/** Every endpoint of the admin API. */
import type { Endpoint } from '../http/endpoint.js'
import { adminKeyEndpoints } from './admin-keys.endpoint.js'
import { announcementEndpoints } from './announcements.endpoint.js'
import { assertionTrustEndpoints } from './assertion-trusts.endpoint.js'
import { auditEndpoints } from './audit.endpoint.js'
import { auditRetentionEndpoints } from './audit-retention.endpoint.js'
import { clientLogoEndpoints } from './client-logo.endpoint.js'
import { clientRegistrationEndpoints, frontClientRegistrationEndpoints } from './client-registration.endpoint.js'
import { clientSecretEndpoints, frontClientSecretEndpoints } from './client-secrets.endpoint.js'
import { clientEndpoints, frontClientEndpoints, memberClientEndpoints } from './clients.endpoint.js'
import { connectionChoiceEndpoints } from './connection-choice.endpoint.js'
import { connectionKeyEndpoints } from './connection-keys.endpoint.js'
import { connectionMetadataEndpoints } from './connection-metadata.endpoint.js'
import { connectionSha1Endpoints } from './connection-sha1.endpoint.js'
import { connectionEndpoints } from './connections.endpoint.js'
import { consentEndpoints } from './consents.endpoint.js'
import { contactEndpoints } from './contacts.endpoint.js'
import { deadLetterEndpoints } from './dead-letters.endpoint.js'
import { defaultScopesEndpoints } from './default-scopes.endpoint.js'
import { deliveryEndpoints } from './deliveries.endpoint.js'
import { deviceGrantEndpoints, frontDeviceGrantEndpoints } from './device-grant.endpoint.js'
import { domainEndpoints } from './domains.endpoint.js'
import { dpopRulesEndpoints, frontDpopRulesEndpoints } from './dpop-rules.endpoint.js'
import { drillEndpoints } from './drills.endpoint.js'
import { dryRunEndpoints } from './dry-runs.endpoint.js'
import { memberClientAccessEndpoints } from './front-clients.endpoint.js'
import { frontIssuerEndpoints } from './front-issuer.endpoint.js'
import { idJagIssuingEndpoints } from './id-jag-issuing.endpoint.js'
import { labEndpoints } from './lab.endpoint.js'
import { loginTraceEndpoints } from './login-traces.endpoint.js'
import { logoutSettingEndpoints } from './logout.endpoint.js'
import { oidcDiagnosisEndpoints } from './oidc-diagnosis.endpoint.js'
import { policyEndpoints } from './policies.endpoint.js'
import { policyDiffEndpoints } from './policy-diffs.endpoint.js'
import { policyDraftEndpoints } from './policy-drafts.endpoint.js'
import { policyReplayEndpoints } from './policy-replay.endpoint.js'
import { policySweepEndpoints } from './policy-sweeps.endpoint.js'
import { provisioningEndpoints } from './provisioning.endpoint.js'
import { frontPushedRequestsEndpoints, pushedRequestsEndpoints } from './pushed-requests.endpoint.js'
import { readEndpoints } from './reads.endpoint.js'
import { receiptEndpoints } from './receipts.endpoint.js'
import { recordedLoginEndpoints } from './recorded-logins.endpoint.js'
import { resourceEndpoints } from './resources.endpoint.js'
import { resyncedEndpoints } from './resynced.endpoint.js'
import { frontClientKillEndpoint, revocationEndpoints } from './revocations.endpoint.js'
import { scimGroupEndpoints } from './scim-groups.endpoint.js'
import { scimTokenEndpoints } from './scim-tokens.endpoint.js'
import { secondFactorEndpoints } from './second-factor.endpoint.js'
import { setupLinkEndpoints } from './setup-links.endpoint.js'
import { signalStreamEndpoints } from './signal-streams.endpoint.js'
import { frontSigningKeyEndpoints, signingKeyEndpoints } from './signing-keys.endpoint.js'
import { softwareStatementEndpoints } from './software-statements.endpoint.js'
import { subjectLinkEndpoints } from './subject-links.endpoint.js'
import { subjectTypesEndpoints } from './subject-types.endpoint.js'
import { tenantEndpoints } from './tenants.endpoint.js'
import { testLoginEndpoints } from './test-logins.endpoint.js'
import { frontTokenAlgorithmEndpoints, tokenAlgorithmEndpoints } from './token-algorithm.endpoint.js'
import { tokenExchangeEndpoints } from './token-exchange.endpoint.js'
import { toldOfPeopleEndpoints } from './told-of-people.endpoint.js'
import { unmatchedSignalEndpoints } from './unmatched-signals.endpoint.js'
import { vendorPolicyEndpoints } from './vendor-policy.endpoint.js'
import { waitingClientEndpoints } from './waiting-clients.endpoint.js'
import { wallTrialEndpoints } from './wall-trials.endpoint.js'
import { webhookEndpoints } from './webhooks.endpoint.js'

export const adminEndpoints: readonly Endpoint[] = [
  ...tenantEndpoints,
  ...frontIssuerEndpoints,
  ...frontClientEndpoints,
  ...frontClientSecretEndpoints,
  ...frontClientRegistrationEndpoints,
  ...frontSigningKeyEndpoints,
  ...frontDeviceGrantEndpoints,
  ...frontTokenAlgorithmEndpoints,
  ...frontDpopRulesEndpoints,
  ...frontPushedRequestsEndpoints,
  frontClientKillEndpoint,
  ...memberClientEndpoints,
  ...memberClientAccessEndpoints,
  ...connectionEndpoints,
  ...resyncedEndpoints,
  ...assertionTrustEndpoints,
  ...connectionKeyEndpoints,
  ...connectionSha1Endpoints,
  ...oidcDiagnosisEndpoints,
  ...connectionMetadataEndpoints,
  ...signalStreamEndpoints,
  ...connectionChoiceEndpoints,
  ...domainEndpoints,
  ...contactEndpoints,
  ...announcementEndpoints,
  ...setupLinkEndpoints,
  ...provisioningEndpoints,
  ...logoutSettingEndpoints,
  ...resourceEndpoints,
  ...clientEndpoints,
  ...clientSecretEndpoints,
  ...clientLogoEndpoints,
  ...waitingClientEndpoints,
  ...clientRegistrationEndpoints,
  ...deviceGrantEndpoints,
  ...tokenExchangeEndpoints,
  ...idJagIssuingEndpoints,
  ...dpopRulesEndpoints,
  ...softwareStatementEndpoints,
  ...pushedRequestsEndpoints,
  ...subjectTypesEndpoints,
  ...toldOfPeopleEndpoints,
  ...defaultScopesEndpoints,
  ...policyEndpoints,
  ...policyDraftEndpoints,
  ...policyDiffEndpoints,
  ...dryRunEndpoints,
  ...policySweepEndpoints,
  ...vendorPolicyEndpoints,
  ...wallTrialEndpoints,
  ...readEndpoints,
  ...consentEndpoints,
  ...receiptEndpoints,
  ...drillEndpoints,
  ...deliveryEndpoints,
  ...webhookEndpoints,
  ...revocationEndpoints,
  ...unmatchedSignalEndpoints,
  ...subjectLinkEndpoints,
  ...secondFactorEndpoints,
  ...signingKeyEndpoints,
  ...tokenAlgorithmEndpoints,
  ...scimGroupEndpoints,
  ...scimTokenEndpoints,
  ...adminKeyEndpoints,
  ...auditEndpoints,
  ...auditRetentionEndpoints,
  ...deadLetterEndpoints,
  ...loginTraceEndpoints,
  ...recordedLoginEndpoints,
  ...policyReplayEndpoints,
  ...testLoginEndpoints,
  ...labEndpoints,
]
