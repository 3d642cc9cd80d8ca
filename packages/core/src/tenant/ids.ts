/** The identifiers of everything that is stored. All are UUIDs but those that a specification makes strings. None is ever reused. */
import type { Brand } from '../brand.js'

export type TenantId = Brand<string, 'TenantId'>
/** The tenant's part of its issuer: `https://host/t/<slug>`. Lower-case letters, digits and hyphens; never reused. */
export type TenantSlug = Brand<string, 'TenantSlug'>
export type IssuerId = Brand<string, 'IssuerId'>
/**
 * A tenant's own; the vendor's, for resources that all tenants share; a tenant's membership at that one, under the front's URL. What is stored before the
 * tenant is known is of the front itself, everything else of a member.
 */
export type IssuerKind = 'tenant' | 'front' | 'front_member'
/** The issuer's URL, compared byte for byte: RFC 8414 §2. */
export type Issuer = Brand<string, 'Issuer'>
export type ConnectionId = Brand<string, 'ConnectionId'>
/** `client_id`: RFC 6749 §2.2, or the URL of a client metadata document. */
export type ClientId = Brand<string, 'ClientId'>
export type ResourceId = Brand<string, 'ResourceId'>
/** The resource's identifier as registered: RFC 8707 §2. It is what `aud` holds. */
export type ResourceIdentifier = Brand<string, 'ResourceIdentifier'>
/** `sub`: unique in the installation, opaque, never reused. */
export type SubjectId = Brand<string, 'SubjectId'>
export type ConsentId = Brand<string, 'ConsentId'>
export type GrantId = Brand<string, 'GrantId'>
export type AuthorizationRequestId = Brand<string, 'AuthorizationRequestId'>
export type DeviceCodeId = Brand<string, 'DeviceCodeId'>
export type LoginRequestId = Brand<string, 'LoginRequestId'>
export type TestLoginId = Brand<string, 'TestLoginId'>
export type FactorVisitId = Brand<string, 'FactorVisitId'>
export type RecordedLoginId = Brand<string, 'RecordedLoginId'>
export type BrowserSessionId = Brand<string, 'BrowserSessionId'>
export type ScimUserId = Brand<string, 'ScimUserId'>
export type ScimGroupId = Brand<string, 'ScimGroupId'>
export type DeprovisioningEventId = Brand<string, 'DeprovisioningEventId'>
export type RequestId = Brand<string, 'RequestId'>
export type Scope = Brand<string, 'Scope'>
/** SHA-256 of a credential. Stores accept credentials in no other form. */
export type CredentialHash = Brand<Buffer, 'CredentialHash'>

/** The reserved tenant of the vendor itself: owner of the front issuer, of shared resources and of vendor keys. */
export const vendorTenantId = '00000000-0000-0000-0000-000000000000' as TenantId
export const vendorSlug = 'vendor' as TenantSlug
