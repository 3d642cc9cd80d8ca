// Where the catalogues of refusals are: printed by print-docs, checked by check-errors. A new catalogue is one line here.
export const catalogues = [
  ['HTTP', 'apps/broker/dist/http/error.js', 'httpErrors'],
  ['Admin API', 'apps/broker/dist/admin/error.js', 'adminErrors'],
  ['Authorization', 'packages/core/dist/oauth/error.js', 'oauthErrors'],
  ['Tokens', 'packages/core/dist/oauth/token-error.js', 'tokenErrors'],
  ['Policy', 'packages/core/dist/policy/error.js', 'policyErrors'],
  ['Second factor', 'packages/core/dist/factor/error.js', 'factorErrors'],
  ['SCIM', 'packages/core/dist/scim/error.js', 'scimErrors'],
  ['Signals', 'packages/core/dist/signals/error.js', 'signalErrors'],
  ['Upstream', 'packages/upstream/dist/error.js', 'upstreamErrors'],
  ['OpenID provider diagnosis', 'packages/upstream/dist/oidc/findings.js', 'oidcFindings'],
  ['IdP metadata', 'packages/upstream/dist/saml/metadata-findings.js', 'metadataFindings'],
  ['Held metadata', 'packages/upstream/dist/saml/metadata-refresh.js', 'heldReasons'],
  ['Guard', 'packages/guard/dist/refusal.js', 'guardRefusals'],
]
