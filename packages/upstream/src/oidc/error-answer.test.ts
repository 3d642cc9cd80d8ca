import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { upstreamErrors } from '../error.js'
import { refusalOfError } from './error-answer.js'
import { logIn } from './fixtures/a-provider.js'

describe('an error in the browser', () => {
  test.each([
    { error: 'access_denied', reason: 'oidc_access_denied' },
    { error: 'unmet_authentication_requirements', reason: 'oidc_step_up_unmet' },
    { error: 'interaction_required', reason: 'oidc_interaction_required' },
    { error: 'login_required', reason: 'oidc_interaction_required' },
    { error: 'account_selection_required', reason: 'oidc_interaction_required' },
    { error: 'consent_required', reason: 'oidc_consent_required' },
    { error: 'server_error', reason: 'oidc_provider_unavailable' },
    { error: 'temporarily_unavailable', reason: 'oidc_provider_unavailable' },
    { error: 'invalid_request', reason: 'oidc_request_refused' },
    { error: 'invalid_scope', reason: 'oidc_request_refused' },
    { error: 'unauthorized_client', reason: 'oidc_request_refused' },
    { error: 'something_else', reason: 'oidc_login_refused' },
    { error: 'access_denied', aadsts: 50105, reason: 'oidc_not_assigned' },
    { error: 'access_denied', aadsts: 65004, reason: 'oidc_consent_required' },
    { error: 'invalid_request', aadsts: 50011, reason: 'oidc_redirect_uri_unregistered' },
    { error: 'interaction_required', aadsts: 50076, reason: 'oidc_step_up_unmet' },
    { error: 'access_denied', aadsts: 53003, reason: 'oidc_conditional_access' },
    { error: 'unauthorized_client', aadsts: 700016, reason: 'oidc_client_refused' },
    { error: 'invalid_request', aadsts: 50020, reason: 'oidc_tenant_refused' },
    { error: 'access_denied', aadsts: 50057, reason: 'oidc_account_disabled' },
    { error: 'server_error', aadsts: 90033, reason: 'oidc_provider_unavailable' },
    { error: 'access_denied', aadsts: 99999, reason: 'oidc_access_denied' },
  ])('$error, AADSTS$aadsts: $reason', async ({ error, aadsts, reason }) => {
    const description =
      aadsts === undefined ? undefined : `AADSTS${aadsts}: The signed in user '<b>ada</b>' is not\r\nassigned. Trace ID: 1`
    const { verdict, asked } = await logIn({ answer: { code: undefined, error, error_description: description } })
    expect(verdict).toMatchObject({ ok: false, error: { reason } })
    expect(JSON.stringify(verdict)).not.toContain('ada')
    expect(asked.some(({ url }) => url.endsWith('/token'))).toBe(false)
  })
  test('of another login than this is not even read', async () => {
    const { verdict } = await logIn({ answer: { error: 'access_denied', state: 'other' } })
    expect(verdict).toMatchObject({ error: { reason: 'oidc_state_mismatch' } })
  })
})

describe('an error of the token endpoint', () => {
  test.each([
    { error: { error: 'invalid_grant' }, reason: 'oidc_code_refused' },
    { error: { error: 'invalid_client' }, reason: 'oidc_client_refused' },
    {
      error: { error: 'invalid_client', error_description: 'AADSTS7000215: Invalid client secret provided.' },
      reason: 'oidc_client_refused',
    },
    {
      error: { error: 'invalid_client', error_description: 'AADSTS7000222: The provided client secret keys are expired.' },
      reason: 'oidc_client_secret_expired',
    },
    {
      error: { error: 'invalid_grant', error_description: "AADSTS50105: 'ada@globex.example' is not assigned" },
      reason: 'oidc_not_assigned',
    },
  ])('$error: $reason', async ({ error, reason }) => {
    const { verdict } = await logIn({ op: { tokenError: error } })
    expect(verdict).toMatchObject({ ok: false, error: { reason } })
    expect(JSON.stringify(verdict)).not.toContain('ada')
  })
  test('that is none is refused as such', async () => {
    expect((await logIn({ op: { tokenAnswer: () => 'x' } })).verdict).toMatchObject({ error: { reason: 'oidc_token_answer_malformed' } })
    expect((await logIn({ op: { tokenAnswer: () => ({ token_type: 'Bearer' }) } })).verdict).toMatchObject({
      error: { reason: 'oidc_token_answer_malformed' },
    })
  })
})

test('whatever a provider writes becomes a line of the catalogue, and nothing of it is shown', () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (error, description) => {
      const refusal = refusalOfError({ error, description }, 'oidc_login_refused')
      expect(upstreamErrors).toHaveProperty(refusal.reason)
      expect(String(refusal.detail?.['error'])).toMatch(/^[A-Za-z_]{1,60}$/)
    }),
  )
})

test('credentials that are configured and not there are missed before the person is sent away', async () => {
  const configuration = { clientAuthentication: 'client_secret_post' }
  expect((await logIn({ configuration, secret: null })).verdict).toMatchObject({ error: { reason: 'oidc_client_secret_missing' } })
  expect((await logIn({ configuration: { clientAuthentication: 'private_key_jwt' } })).verdict).toMatchObject({
    error: { reason: 'oidc_client_key_missing' },
  })
})
