/** Every kind of line in the audit trail, with the sentence an operator reads beside it. What is not in this list cannot be written. */
export const auditEvents = {
  access_denied: 'The policy of the tenant denied what a person asked for; reason and explanation say why.',
  'admin.killed': 'An admin revoked a person, grant, client, connection or the whole tenant.',
  'admin.reinstated': 'An admin let a person sign in again. Nothing revoked earlier comes back.',
  'admin.unmatched_signal_lifted': 'An admin lets somebody come in of whom an IdP had said, before she was here, that she is disabled.',
  'admin.unmatched_signals_lifted':
    'An admin lets everybody come in of whom the IdP of a connection had said, before they were here, that they are disabled. The detail says how many.',
  'audit_events.ended':
    'Lines of this trail that were older than an admin has it kept were deleted; the detail counts them by kind, and says from which to which.',
  'admin_key.created': 'A key of the admin API was made, by another key or on the command line.',
  'admin_key.revoked': 'A key of the admin API was revoked.',
  'announcement.retried': 'A mail to a contact that was given up is tried again, because an admin said so.',
  authorization_request_pushed:
    'A client that proved itself, and for which an admin vouches, handed over an authorization request beforehand.',
  'client.adopted': 'An admin has the tenant know a client that is registered at the front issuer, before anybody has used it.',
  'client.approval_lost':
    'A client says something else of itself than what an admin approved, by its document or its registration, so it is approved no more: people are asked again. The detail says what changed.',
  'consent.withdrawn': 'An admin forgot what a person had agreed to, and ended what her client held by it.',
  'client.created': 'An admin registered a client beforehand.',
  'client.deprovisioned': 'The barrier of a client was raised: every token it holds here is dead.',
  'client.document_withdrawn':
    'The publisher of the document by which a client describes itself says that there is none any more, or sent none that does: minutes later it gets no tokens, until a good one is there. Told of one client once a day.',
  'client.governed': 'An admin changed what a client may do: blocked, vouched for, or held to a ceiling.',
  'client.machine_access_changed':
    'An admin said what a client of the front issuer may have in its own name; what it held by what is gone or less ended.',
  'client.registration_changed': 'A client that registered itself replaced what it says of itself; the detail says what of it changed.',
  'client.logo_approved': 'An admin lets people see the logo of a client, as she saw it.',
  'client.logo_withdrawn': 'An admin has people see the logo of a client no more.',
  'client.registration_ended':
    'The registration of a client that registered itself ended: by its own wish, because nobody used it, or because another needed its room.',
  'client.removed': 'A client that nothing was ever granted to was removed.',
  'client.secret_added': 'An admin gave a client a second secret beside the one that it has.',
  'client.secret_limited': 'An admin said when a secret of a client ends, or that it does not.',
  'client.secret_replaced': 'A client got a new secret; what it had of secrets is worth nothing.',
  'client.secret_withdrawn': 'An admin withdrew one of the secrets of a client.',
  'client.updated': 'An admin corrected the registration of a client.',
  client_registered: 'A client registered itself.',
  client_token_issued: 'A client got an access token in its own name.',
  client_token_refused: 'A client was refused an access token in its own name.',
  assertion_redeemed: 'An assertion of an issuer whom the tenant trusts became an access token for the person whom it names.',
  assertion_refused: 'An assertion that an issuer whom the tenant trusts had signed was refused; the reason says why.',
  'assertion_trust.created': 'An admin has the tenant accept the assertions of another issuer at its token endpoint.',
  'assertion_trust.enabled': 'The assertions of an issuer that had been killed are accepted again.',
  'assertion_trust.removed': 'The assertions of an issuer by which nobody had come in are accepted no more.',
  'assertion_trust.updated': 'What is believed of the assertions of an issuer changed.',
  code_redeemed: 'An authorization code became tokens.',
  code_refused: 'An authorization code was refused; code_replayed also revoked its grant.',
  'connection.created': 'An admin added a connection to an identity provider.',
  'connection.deprovisioned': 'The barrier of a connection was raised: whoever signed in through it must sign in again.',
  'connection.resync_demanded':
    'The database was restored: until its directory has been synchronised anew, nobody comes in through this connection but whom it has created since, and afterwards nobody whom it has not named.',
  'connection.resynced':
    'An admin said that the directory of a connection has been synchronised anew after a restore; the detail says how many it has not named, and whether they were let in.',
  'installation.recovered': 'The database was restored or promoted with possible loss: everything issued before is dead.',
  'installation.promoted': 'The database stands on another timeline, and nothing was lost, as the operator says or has set up.',
  'connection.enabled': 'A disabled connection was enabled again.',
  'connection.certificate_expiring': 'A signing certificate of an IdP ends within 60, 30, 14, 7 or 1 days; each is told once.',
  'connection.logout_tokens_changed':
    'Whether logout tokens of an OpenID provider must say what they are (typ) and when they end (exp) changed.',
  'connection.mass_logout':
    'ALARM: one logout of an IdP ended more sessions or grants than are ended one by one, and a barrier took their place; the detail says whose.',
  'connection.metadata_applied': 'An admin applied metadata to a connection; the detail says what changed.',
  'connection.metadata_demanded': 'An admin had the metadata of a connection looked at at once.',
  'connection.metadata_failed':
    'The metadata of a connection could not be fetched three times in a row. Logins go on with what is configured.',
  'connection.metadata_held':
    'Fetched metadata would change more than may change by itself; it waits for an admin, and nothing of it is used.',
  'connection.metadata_refreshed': 'Fetched metadata changed keys or address of a connection; the detail says what.',
  'connection.metadata_source_removed': 'The metadata of a connection is fetched no more.',
  'connection_draft.declined': 'A connection that a company’s IT described by a set-up link was declined.',
  'connection_draft.saved': 'A company’s IT described a connection by a set-up link; nobody can sign in by it yet.',
  'connection_draft.submitted': 'A connection that a company’s IT described waits for approval, because the tenant has one already.',
  'connection.freshness_evidence_changed':
    'What proves a fresh sign-in at an OpenID provider changed: auth_time alone, or the time of issue after a prompt.',
  'connection.idp_initiated_changed':
    'Whether the portal of an identity provider may begin a login at a connection, or where its tiles lead, changed; the detail says to what.',
  'connection.key_activated': 'Another key of ours signs from now on before the OpenID provider of a connection.',
  'connection.key_created': 'A key of ours before the OpenID provider of a connection was made.',
  'connection.key_removed': 'A key of ours before the OpenID provider of a connection was taken away.',
  'connection.mass_revocation':
    'ALARM: an identity provider took away the access of very many people by signals within a few minutes; nothing was held back.',
  'connection.signal_alarm':
    'ALARM: a signal of an identity provider says what an admin must look at: a person’s identifier changed hands, its stream of signals stands still, or what it says is refused and not acted on.',
  'connection.signals_unheard':
    'ALARM: the security events of an identity provider cannot be heard: its transmitter cannot be reached, does not answer us, or is silent. What it says meanwhile is not acted on.',
  'connection.signals_heard_again': 'The transmitter of security events that could not be heard answers again.',
  'connection.signal_stream_put':
    'An admin set up how the security events of a connection are heard; the detail says by which delivery, and what the connection believes otherwise than before. With `step`: the set-up had come so far, whether it ended well or not.',
  'connection.signal_verification_asked': 'An admin had the stream of security events of a connection verify itself.',
  'connection.signal_stream_removed':
    'The stream of security events of a connection was given up, and our credential at its transmitter with it.',
  'connection.removed': 'A connection that nobody had signed in through was removed.',
  'connection.sha1_allowed':
    'Until the time in the detail, signatures with SHA-1 of the IdP of a connection are believed; the reason says why.',
  'connection.sha1_ended': 'Signatures with SHA-1 of the IdP of a connection are believed no more.',
  'connection.test_login_created':
    'An admin, or a company’s IT on its set-up page, asked for a test login: whoever opens it shows what her own sign-in says. Nothing is opened by it.',
  'connection.updated': 'The configuration of a connection changed.',
  'contact.added': 'Somebody is told from now on when the sign-in of the company is changed.',
  'contact.changed': 'The name or address of a contact changed; she was told at the old one, too.',
  'contact.removed': 'Somebody is told no more when the sign-in of the company is changed; she was told of that.',
  consent_denied: 'A person said no on the consent page.',
  'deprovisioning.ambiguous':
    'ALARM: a directory, or a signal, takes access away from somebody who may be each of several people: all of them recorded her link key. None is linked or deactivated; what they hold ended, and each signs in anew. The detail names them. With `elsewhere`: so many people of other connections bear the key that it names nobody there, and nothing of theirs ended: look who of them has left.',
  'deprovisioning.unmatched': 'Somebody asked to take away access of whom or what this tenant does not have; nothing changed.',
  'dead_letters.replayed':
    'The vendor had work tried again that was given up after its last round; the detail says of which kind, and how many.',
  'delivery.replayed': 'Calls that had been given up are tried again, because an admin said so; the detail counts them.',
  device_declined: 'A person said, on the page where the code of a device is typed, that she did not start that device.',
  device_guesses_locked:
    'ALARM: so many codes that no device shows were typed, from one address or at the whole tenant, that none of them is listened to for ten minutes; the detail says which.',
  'domain.added': 'An e-mail domain was claimed; it counts once it is proven.',
  'domain.changed': 'An e-mail domain moved to another connection, or its proof was noted or withdrawn.',
  'domain.removed': 'An e-mail domain was given up.',
  'domain.proof_failing': 'The DNS of a proven domain no longer says what it should; unless that is mended, the proof lapses.',
  'domain.proof_lapsed': 'ALARM: a domain is proven no more. Nobody new comes in by it, and its addresses are not called verified.',
  'domain.proof_recovered': 'The DNS of a proven domain says again what it should.',
  'domain.proven': 'The DNS of a domain said what it should, and the tenant owns it from now on.',
  'drill.begun':
    'Somebody ordered a drill: a person who does not exist was given tokens that open nothing, to see how long it takes to end them.',
  'front_issuer.created': 'The front issuer was made; every tenant is a member of it.',
  'grant.deprovisioned': 'The barrier of one grant was raised: its tokens are dead.',
  'grant.ended_by_policy':
    'A policy that took effect at once, or what the directory or a login says now, left nothing of a grant, and it ended; the detail says which.',
  'grant.shrunk':
    'A policy that took effect at once, or what the directory or a login says now, took scopes or life from a grant; its older tokens are dead. Deferred: its next refresh says what is left.',
  grant_opened: 'A permission was stored, and a code handed to the client.',
  grant_revoked: 'A client gave a token back, and its grant was revoked.',
  'invitation.created': 'An admin invited a person.',
  'invitation.revoked': 'An invitation that nobody had used was taken back.',
  'lab.clock_moved': 'The clock of a lab was moved.',
  'lab.jobs_requested': 'The scheduled jobs of a lab were asked for.',
  'event_stream.changed': 'A receiver changed its event stream; the detail says where its events go now.',
  'event_stream.created': 'A receiver made an event stream for a resource, with one of its credentials.',
  'event_stream.deleted': 'An event stream was deleted, by its receiver or an admin; what it still owed was not told.',
  'event_stream.paused': 'An admin paused an event stream: it holds back what it owes, and its receiver cannot lift that.',
  'event_stream.resumed': 'An admin let an event stream that he had paused go on.',
  'lab.rate_limits_set': 'The rate limits of a tenant of a lab were set.',
  login_completed: 'A login at the identity provider was believed.',
  login_refused: 'A login at the identity provider was proven and yet refused; the reason says why.',
  login_unsolicited:
    'Somebody came by a tile of an identity provider at a connection that lists no place for it; told once an hour and connection.',
  'master_key.resealed': 'Everything sealed under an older master key was sealed anew; the detail counts it.',
  'master_key.retired': 'Nothing needs an older master key any more; processes may start without it.',
  'master_key.wrapped': 'The KMS made a master key, or wrapped those that are there anew; the detail says which versions, under which key.',
  notice_declined: 'A person did not go on to sign in for the client that was announced to her.',
  'policy.published': 'A new version of the policy took effect; the detail says which draft or which old version it was.',
  'policy_draft.changed': 'A draft of the policy changed. It decides nothing.',
  'policy_draft.created': 'A draft of the policy was begun. It decides nothing.',
  'policy_draft.removed': 'A draft of the policy was thrown away.',
  'policy.replayed': 'An admin had recorded logins decided under another policy, to see what it would change.',
  'recorded_login.read': 'An admin read what a recorded login said of a person, or tried a policy on it.',
  'recorded_logins.deleted': 'An admin deleted recorded logins; the detail counts them.',
  tenant_chosen: 'A sign-in that began at the front issuer became one of a tenant, once and for all; the reason names it.',
  'vendor_policy.published': 'A new version of the policy of the vendor took effect, around every tenant.',
  'resource.created': 'A resource was added.',
  'resource.credential_created': 'A resource server got a credential for introspection and notices.',
  'resource.credential_revoked': 'A credential of a resource server was revoked.',
  'resource.grants_ended': 'Every living grant for a withdrawn resource was ended.',
  'resource.scopes_replaced': 'The scopes of a resource were replaced.',
  'resource.shared': 'The issuer of a tenant may mint for a resource from now on.',
  'resource.updated': 'The name of a resource or the longest life of its access tokens changed.',
  'resource.withdrawn': 'An issuer may no longer mint for a resource.',
  'scim_group.created': 'The directory of the company created a group; the detail counts whom it holds.',
  'scim_group.deleted': 'The directory of the company deleted a group; whoever was in it is so no more.',
  'scim_group.members_withheld':
    'A request of the directory that takes members out of a group was refused for something else: they stay in it, and have nothing by it. The detail says how many.',
  'scim_group.updated':
    'The directory of the company changed a group; the detail counts whom it added and took away. restored: whom a refused request had left nothing by it. unknown: ids that it named and this directory does not have.',
  'scim_token.created': 'A token for the SCIM endpoint was made.',
  'scim_token.exceeded':
    'ALARM: A directory asked for a change that the scope of its token does not cover, and it was not made. The detail says what was asked and which scope it needs; takesAway: whoever was to lose something by it still has it.',
  'scim_token.revoked': 'A token for the SCIM endpoint was revoked.',
  'scim_user.created': 'The directory of the company created a person.',
  'scim_user.deleted': 'The directory of the company deleted a person.',
  'scim_user.end_changed': 'The directory of the company named another end of a person’s access, or none; the detail says which.',
  'scim_user.end_unreadable':
    'ALARM: what the directory of the company named as the end of a person’s access is no date; the end that was known holds.',
  'scim_user.updated': 'The directory of the company changed a person.',
  session_ended:
    'A session ended: by the IdP, or by the person here. The detail counts the browser sessions, and the grants that ended with them.',
  'second_factor.code_created': 'An admin made a code with which a person may enrol her first factor here; the contacts are told.',
  'second_factor.code_used': 'A person used a code of an admin, and may enrol her first factor.',
  'second_factor.enrolled': 'A person enrolled a second factor; she and the contacts are told of which kind, and what allowed it.',
  'second_factor.proved': 'A person proved a second factor of ours, for one request or on the page of her own factors.',
  'second_factor.refused':
    'A second factor, or a code to enrol one, was not accepted; the reason says why. passkey_counter_back: there may be two of that passkey.',
  'second_factor.removed': 'A person took one of her second factors away, by one that she has shown; she and the contacts are told.',
  'second_factor.reset':
    'An admin took every factor of a person away. Everything issued to her until then is dead, and what is privileged waits a day.',
  'signal.received': 'A security event of an identity provider was accepted; the detail names it and what came of it.',
  'setup_link.created': 'A set-up link was made, with which a company’s IT may describe a connection.',
  'setup_link.opened': 'A set-up link was opened in a browser, and works in no other from then on.',
  'setup_link.revoked': 'A set-up link was taken back.',
  'signing_key.compromised': 'A signing key was declared compromised, and what it signed is no longer believed.',
  'signing_key.rotated':
    'The next signing key became the active one: an admin said so, or (cause) by age, or because another algorithm was chosen.',
  'signing_key.withdrawn': 'Nothing that a key signed is alive any more: it left the JWKS, and its private half was destroyed.',
  'subject.deprovisioned': 'The barrier of a person was raised: every token in her name is dead.',
  'subject.linked': 'An admin said which user of the directory a person is. Everything issued to her until then is dead.',
  'subject.kept_out':
    'A word that kept a person out was taken back, and something else does: another word, which an admin lifts, an end that has come, her directory, or a restore since which her directory has not named her. The detail says what.',
  'subject.reinstated': 'A deactivated person may sign in again. Nothing revoked earlier comes back.',
  'subject.unlinked': 'An admin took away the link of a person to a user of the directory. Everything issued to her until then is dead.',
  id_jag_issued:
    'A client got a signed word about a person for an authorization server of others; the detail says for which resource. What that server makes of it ends only as it hears.',
  id_jag_refused:
    'A client that wanted a word about a person for another authorization server was refused; the reason says why, and subject_token_stolen also revoked the grant.',
  'tenant.id_jag_issuing_changed': 'An admin chose which clients may have ID-JAGs for which authorization servers of others.',
  token_exchanged:
    'A resource server exchanged a person’s token for one of another resource, to go on for her; the detail says from which grant.',
  token_exchange_refused: 'A client that wanted to exchange a person’s token was refused; the reason says why.',
  'tenant.token_exchange_changed':
    'An admin chose which clients may exchange whose tokens for which resource; what was issued under a permission that is gone ended.',
  'tenant.audit_retention_changed': 'How long this trail is kept was chosen anew; the detail says how long before.',
  'tenant.client_registration_changed': 'In which ways clients may become known to a tenant was chosen anew.',
  'tenant.connection_choice_changed': 'The rules changed by which an address chooses a connection.',
  'tenant.created': 'A tenant was made.',
  'tenant.software_statements_changed': 'Whose software statements a tenant believes was chosen anew.',
  'tenant.dpop_changed': 'What a tenant demands of tokens that are bound to a key was chosen anew.',
  'tenant.deprovisioned': 'The barrier of the whole tenant was raised: every token of it is dead.',
  'tenant.device_grant_changed': 'Whether devices may ask for access by a code that a person types elsewhere was chosen anew.',
  'tenant.logout_changed': 'Whether what was granted from a session ends with it was chosen anew.',
  'tenant.login_recording_changed':
    'Whether logins are recorded, with claims, changed; what was recorded was deleted where it was switched off.',
  'tenant.login_tracing_changed': 'Whether traces of failed logins hold claims changed.',
  'tenant.provisioning_changed':
    'Who may become a subject of the tenant changed: whoever signs in, whom the directory knows, or who was invited.',
  'tenant.second_factor_changed': 'When a second factor of ours is asked for beside the sign-in at the IdP was chosen anew.',
  'tenant.pushed_requests_changed': 'Whether authorization requests must be pushed beforehand was chosen anew.',
  'tenant.reinstated': 'A suspended tenant works again. Nothing revoked earlier comes back.',
  'tenant.renamed': 'The name of a tenant changed.',
  'tenant.token_algorithm_changed':
    'Another algorithm was chosen for the tokens of the tenant. Its key is published, and signs once verifiers can know it.',
  'tenant.subject_types_changed': 'By which sub clients of a tenant that say nothing know people was chosen anew.',
  'tenant.default_scopes_changed': 'Which scopes of shared resources a tenant gives to whoever names none was chosen anew.',
  'tenant.userinfo_changed': 'What clients and resource servers of a tenant may be told of people was chosen anew.',
  token_refresh_refused:
    'A refresh token was refused; refresh_token_stolen also revoked its grant. Of one that is worth nothing any more, or another\u2019s, told once an hour.',
  token_refresh_repeated: 'A refresh token was sent again within the grace, and got the same successor.',
  token_refreshed: 'A refresh token was rotated.',
  'webhook.created': 'An endpoint hears the news of access from now on.',
  'webhook.disabled':
    'ALARM: an endpoint had taken nothing for days, or said that it is gone (410), and hears no news until an admin resumes it.',
  'webhook.paused': 'News waits for an endpoint, because an admin said so.',
  'webhook.removed': 'An endpoint hears no news any more, and what waited for it is gone.',
  'webhook.resumed': 'An endpoint that was paused or disabled hears the news again.',
  'webhook.secret_replaced': 'An endpoint got a new secret; the one before it signs beside it for a day.',
  'webhook.tested': 'A test message was sent to an endpoint.',
  'webhook.updated': 'The name, address or choice of news of an endpoint changed.',
} as const satisfies Record<string, string>

export type AuditEventKind = keyof typeof auditEvents

/** What the product itself notices and a tenant's contacts are told, because somebody has to act. */
export const announcedByItself: readonly AuditEventKind[] = [
  'client.approval_lost',
  'connection.certificate_expiring',
  'connection.metadata_failed',
  'connection.metadata_held',
  'connection.metadata_refreshed',
  'connection.signals_unheard',
  'domain.proof_failing',
  'domain.proof_lapsed',
  'webhook.disabled',
]
