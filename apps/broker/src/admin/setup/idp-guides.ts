/**
 * What a company's IT does at its own IdP, in the words of that IdP's screens: the set-up page carries them, because whoever holds a
 * link has no other documentation of ours.
 */
import { type OidcVendorId, oidcVendors } from '@drawbridge/upstream/oidc/vendors'
import { type VendorId, vendors } from '@drawbridge/upstream/saml/metadata-vendors'

/** An address of ours, by what it is for. */
export type OurAddress = 'acs' | 'entityId' | 'redirect' | 'logout'
export type IdpSteps = {
  /** The way through the menus. */
  readonly where: string
  /** The IdP's name of a field, and what goes in. */
  readonly enter: readonly (readonly [field: string, value: OurAddress])[]
  readonly send: string
  /** What is brought back to step 2. */
  readonly give: string
}
export type IdpGuide = { readonly saml?: IdpSteps; readonly oidc?: IdpSteps }
export type IdpId = VendorId | OidcVendorId

const oidcFields = (redirect: string) => [[redirect, 'redirect']] as const

const guides: Readonly<Record<IdpId, IdpGuide>> = {
  okta: {
    saml: {
      where: 'Applications → Create App Integration → SAML 2.0',
      enter: [
        ['Single sign-on URL', 'acs'],
        ['Audience URI (SP Entity ID)', 'entityId'],
      ],
      send: 'Attribute statement userId = user.getInternalProperty("id"). Group attribute statement groups with a filter, for example “Matches regex” .*; without a filter no groups are sent.',
      give: 'Sign On → Metadata URL.',
    },
    oidc: {
      where: 'Applications → Create App Integration → OIDC → Web Application',
      enter: oidcFields('Sign-in redirect URIs'),
      send: 'A groups claim whose filter matches at most a hundred groups.',
      give: 'Issuer https://<org>.okta.com, client ID and client secret.',
    },
  },
  entra: {
    saml: {
      where: 'Enterprise applications → New application → Create your own → Single sign-on → SAML',
      enter: [
        ['Identifier (Entity ID)', 'entityId'],
        ['Reply URL (Assertion Consumer Service URL)', 'acs'],
      ],
      send: 'Attributes & Claims → Add a group claim → Groups assigned to the application, as group ID.',
      give: 'App Federation Metadata Url, the one that ends in ?appid=….',
    },
    oidc: {
      where: 'App registrations → New registration → Web',
      enter: oidcFields('Redirect URI'),
      send: 'Token configuration: add the groups claim, and auth_time as optional claim of the ID token.',
      give: 'Issuer https://login.microsoftonline.com/<tenant id>/v2.0, Application (client) ID, and the value of a client secret.',
    },
  },
  google: {
    saml: {
      where: 'Apps → Web and mobile apps → Add custom SAML app',
      enter: [
        ['ACS URL', 'acs'],
        ['Entity ID', 'entityId'],
      ],
      send: 'A custom directory field that you fill once per person and never change. Group membership, as groups: up to 75.',
      give: 'Download metadata, and paste the document: Google has no address for it.',
    },
    oidc: {
      where: 'Google Cloud → Clients → Create client → Web application',
      enter: oidcFields('Authorized redirect URIs'),
      send: 'Nothing more can be sent: groups never come this way.',
      give: 'Issuer https://accounts.google.com, client ID and client secret. Whoever sent you the link must list your domains.',
    },
  },
  pingone: {
    saml: {
      where: 'Applications → Add → SAML Application → Manually enter',
      enter: [
        ['ACS URLs', 'acs'],
        ['Entity ID', 'entityId'],
      ],
      send: 'Attribute mappings: User ID to an attribute of its own, Group Names to groups.',
      give: 'IDP Metadata URL.',
    },
    oidc: {
      where: 'Applications → Add → OIDC Web App',
      enter: oidcFields('Redirect URIs'),
      send: 'Attribute mappings: Group Names to groups.',
      give: 'Issuer ID https://auth.pingone.<region>/<environment>/as, client ID and client secret.',
    },
  },
  onelogin: {
    saml: {
      where: 'Applications → Add App → SAML Custom Connector (Advanced)',
      enter: [
        ['Audience (EntityID)', 'entityId'],
        ['Recipient', 'acs'],
        ['ACS (Consumer) URL', 'acs'],
        ['ACS (Consumer) URL Validator', 'acs'],
      ],
      send: 'A parameter that is OneLogin ID; a parameter memberOf with “multi-value parameter” on. SSO → SAML Signature Algorithm: SHA-256.',
      give: 'SSO → Issuer URL.',
    },
    oidc: {
      where: 'Applications → Add App → OpenId Connect (OIDC)',
      enter: oidcFields('Redirect URIs'),
      send: 'Groups, in the scope groups.',
      give: 'Issuer https://<subdomain>.onelogin.com/oidc/2, client ID and client secret.',
    },
  },
  jumpcloud: {
    saml: {
      where: 'SSO Applications → Add → Custom → SAML',
      enter: [
        ['SP Entity ID', 'entityId'],
        ['ACS URL', 'acs'],
      ],
      send: 'An attribute that holds the JumpCloud id, and “include group attribute”. IdP Entity ID is yours to type: make it unique.',
      give: 'Export metadata, and paste the document.',
    },
    oidc: {
      where: 'SSO Applications → Add → Custom → OIDC',
      enter: oidcFields('Redirect URIs'),
      send: '“Include group attribute”, if groups shall decide.',
      give: 'Issuer https://oauth.id.jumpcloud.com/ with the slash, client ID and client secret.',
    },
  },
  duo: {
    saml: {
      where: 'Applications → Protect an Application → Generic SAML Service Provider',
      enter: [
        ['Entity ID', 'entityId'],
        ['Assertion Consumer Service (ACS) URL', 'acs'],
      ],
      send: 'A bridge attribute that holds an unchanging directory value (objectGUID); the bridge attribute <AMR> as AMR.',
      give: 'The metadata URL of this application.',
    },
    oidc: {
      where: 'Applications → Protect an Application → Generic OIDC Relying Party',
      enter: oidcFields('Sign-In Redirect URLs'),
      send: 'amr and groups, as attributes.',
      give: 'Issuer https://sso-<id>.sso.duosecurity.com/oidc/<client>, client ID and client secret.',
    },
  },
  auth0: {
    saml: {
      where: 'Applications → your application → Addons → SAML2 Web App → Settings',
      enter: [
        ['Application Callback URL', 'acs'],
        ['"audience"', 'entityId'],
      ],
      send: 'In the settings also "signatureAlgorithm": "rsa-sha256" and "digestAlgorithm": "sha256"; SHA-1 is refused here.',
      give: 'https://<tenant>.auth0.com/samlp/metadata/<client id>.',
    },
    oidc: {
      where: 'Applications → Create Application → Regular Web Application',
      enter: oidcFields('Allowed Callback URLs'),
      send: 'An Action may add groups. Set the token signature to RS256: HS256 is refused here.',
      give: 'Issuer https://<tenant>.auth0.com/ with the slash, client ID and client secret.',
    },
  },
  adfs: {
    saml: {
      where: 'Add Relying Party Trust → Claims aware → Enter data about the relying party manually',
      enter: [
        ['Relying party SAML 2.0 SSO service URL', 'acs'],
        ['Relying party trust identifier', 'entityId'],
      ],
      send: 'Nothing is sent without a claim rule: one each for NameID, e-mail address, groups, and objectGUID or employeeID.',
      give: 'https://<host>/FederationMetadata/2007-06/FederationMetadata.xml.',
    },
    oidc: {
      where: 'Application Groups → Add → Server application accessing a web API',
      enter: oidcFields('Redirect URI'),
      send: 'Issuance rules for groups (group) and a stable id; allow the scope allatclaims.',
      give: 'Issuer https://<host>/adfs, client identifier and shared secret.',
    },
  },
  keycloak: {
    saml: {
      where: 'Clients → Create client → Client type SAML',
      enter: [
        ['Client ID', 'entityId'],
        ['Valid redirect URIs', 'acs'],
        ['Master SAML Processing URL', 'acs'],
      ],
      send: 'Name ID format persistent; a group list mapper named groups. “Sign documents” on, “Client signature required” off.',
      give: 'https://<host>/realms/<realm>/protocol/saml/descriptor.',
    },
    oidc: {
      where: 'Clients → Create client → OpenID Connect, “Client authentication” on',
      enter: [
        ['Valid redirect URIs', 'redirect'],
        ['Backchannel logout URL', 'logout'],
      ],
      send: 'A group mapper.',
      give: 'Issuer https://<host>/realms/<realm>, client ID and client secret.',
    },
  },
  pingfederate: {
    saml: {
      where: 'Applications → SP Connections → Create Connection',
      enter: [
        ['Partner’s Entity ID', 'entityId'],
        ['Assertion Consumer Service URL', 'acs'],
      ],
      send: 'In the attribute contract: an unchanging directory value (objectGUID), and groups.',
      give: 'The exported metadata, or https://<host>/pf/federation_metadata.ping?PartnerSpId=<our entity ID>.',
    },
  },
  pingam: {
    oidc: {
      where: 'Applications → OAuth 2.0 → Clients → Add Client',
      enter: oidcFields('Redirection URIs'),
      send: 'auth_time and groups.',
      give: 'The issuer of the realm, client ID and client secret.',
    },
  },
  shibboleth: {
    saml: {
      where: 'conf/metadata-providers.xml, with an entity of these addresses',
      enter: [
        ['entityID', 'entityId'],
        ['AssertionConsumerService (HTTP-POST)', 'acs'],
      ],
      send: 'Release subject-id or eduPersonUniqueId: a transient NameID is another one at every login. Groups: isMemberOf.',
      give: 'https://<host>/idp/shibboleth.',
    },
  },
  simplesamlphp: {
    saml: {
      where: 'metadata/saml20-sp-remote.php',
      enter: [
        ['the key of $metadata', 'entityId'],
        ['AssertionConsumerService', 'acs'],
      ],
      send: 'An attribute that never changes (uid, entryUUID), and groups.',
      give: 'https://<host>/…/saml2/idp/metadata.php.',
    },
  },
}

const named: Readonly<Record<string, { readonly name: string }>> = { ...oidcVendors, ...vendors }

export const idpNames: readonly (readonly [IdpId, string])[] = (Object.keys(guides) as IdpId[]).map((id) => [id, named[id]?.name ?? id])

/** `undefined`: not one of those that are known; the general words are for all others. */
export const readIdpId = (text: string | undefined): IdpId | undefined =>
  text !== undefined && Object.hasOwn(guides, text) ? (text as IdpId) : undefined

export const guideOf = (id: IdpId): IdpGuide => guides[id]
