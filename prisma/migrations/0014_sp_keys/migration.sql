-- Our keys before corporate IdPs: each is shown as a certificate. No version before this one made a key for SAML.
DELETE FROM "signing_keys" WHERE "purpose" = 'saml';
ALTER TABLE "signing_keys" ADD COLUMN "certificate" TEXT;
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_certificate_check" CHECK (("purpose" = 'saml') = ("certificate" IS NOT NULL));

-- Until when signatures with SHA-1 of this connection's IdP are believed: set apart from the configuration, so that replacing that never extends it.
ALTER TABLE "connections" ADD COLUMN "sha1_until" TIMESTAMPTZ(3);
