/** The proof that a form was shown by us, to this browser, for this request, at this step, and what it showed. It dies with the request that it names. */
import type {
  AuthorizationRequestId,
  CredentialHash,
  DeviceCodeId,
  FactorVisitId,
  IssuerId,
  TenantId,
  TestLoginId,
} from '@drawbridge/core/tenant/ids'
import type { Sealer } from '@drawbridge/crypto/seal'
import { type Bound, formProof, isFormProof } from '../http/form-proof.js'

/** Steps of an authorization request. */
export type FlowStep = 'choose_tenant' | 'choose_connection' | 'client_notice' | 'second_factor' | 'consent'

export type ProvenStep = {
  readonly tenant: TenantId
  readonly request: AuthorizationRequestId | TestLoginId | FactorVisitId | DeviceCodeId | IssuerId
  readonly browserHash: CredentialHash
  readonly step: FlowStep | 'test_login' | 'factor_visit' | 'begin_factor_visit' | 'user_code' | 'device'
  /** What the person says yes to, where the page asks for that: a yes to something else proves nothing. */
  readonly shown?: string | undefined
}

const boundTo = (at: ProvenStep): Bound => [at.tenant, at.request, at.browserHash.toString('hex'), at.step, at.shown ?? null]

export const stepProof = (sealer: Sealer, at: ProvenStep): string => formProof(sealer, 'step-proof', boundTo(at))

export const isStepProof = (sealer: Sealer, at: ProvenStep, presented: string | undefined): boolean =>
  isFormProof(sealer, 'step-proof', boundTo(at), presented)
