/** Refusals of the admin API, written as problem documents. RFC 9457. */
export const adminErrors = {
  key_missing: { code: 'unauthorized', status: 401, spec: 'RFC 6750 §3', title: 'No key', say: 'send an admin key as Authorization: Bearer dba_…' },
  key_unknown: { code: 'unauthorized', status: 401, spec: 'RFC 6750 §3.1', title: 'Key not accepted', say: 'the admin key is unknown, expired, revoked or made for another installation' },
  permission_missing: { code: 'forbidden', status: 403, spec: 'RFC 6750 §3.1', title: 'Permission missing', say: 'this key does not hold the permission that this needs; see errors' },
  vendor_only: { code: 'forbidden', status: 403, spec: 'ours', title: 'Vendor only', say: 'only a key of the vendor may do this' },
  other_tenant: { code: 'not_found', status: 404, spec: 'RFC 9110 §15.5.5', title: 'Nothing here', say: 'there is nothing at this address; check the company part of it' },
  key_too_wide: { code: 'forbidden', status: 403, spec: 'ours', title: 'Key too wide', say: 'no key makes a wider one: fewer permissions, an earlier expiry, or another maker' },
  not_found: { code: 'not_found', status: 404, spec: 'RFC 9110 §15.5.5', title: 'Not found', say: 'this tenant has nothing by that id' },
  conflict: { code: 'conflict', status: 409, spec: 'RFC 9110 §15.5.10', title: 'Already taken', say: 'that name or identifier is taken, here or by another tenant; it is never reused' },
  reference_unknown: { code: 'conflict', status: 409, spec: 'RFC 9110 §15.5.10', title: 'Reference unknown', say: 'the request names something that this tenant does not have' },
  connection_invalid: { code: 'invalid_request', status: 400, spec: 'ours', title: 'Connection not usable', say: 'the connection cannot be used as given; see errors' },
  metadata_invalid: { code: 'invalid_request', status: 400, spec: 'SAML Metadata §2', title: 'Metadata not usable', say: 'the metadata cannot be used as given; see errors' },
  policy_invalid: { code: 'invalid_request', status: 400, spec: 'ours', title: 'Policy not usable', say: 'the policy does not compile; every mistake is listed' },
  resource_not_owned: { code: 'forbidden', status: 403, spec: 'RFC 8707 §2', title: 'Host not proven', say: 'a tenant key may create resources only under the tenant’s proven domains' },
  no_next_key: { code: 'conflict', status: 409, spec: 'ours', title: 'No next key', say: 'there is no next key to activate; make one first' },
  lab_only: { code: 'forbidden', status: 403, spec: 'ours', title: 'Lab only', say: 'only a lab has a clock that can be moved' },
} as const
export type AdminErrorReason = keyof typeof adminErrors
