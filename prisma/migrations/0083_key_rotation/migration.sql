-- By which algorithm the next key for tokens of a tenant signs. A version that knows nothing of the column makes keys for ES256, which are replaced before they sign.
ALTER TABLE "tenants" ADD COLUMN "token_algorithm" TEXT NOT NULL DEFAULT 'ES256';
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_token_algorithm_check" CHECK ("token_algorithm" IN ('ES256', 'EdDSA', 'RS256', 'PS256'));

-- When a key that waits is to sign, if nobody changes anything. Null: nobody knows yet, or it does not by itself.
ALTER TABLE "signing_keys" ADD COLUMN "activates_at" TIMESTAMPTZ(3);
-- Since when a key that signs no more is not published, and its private half is gone: no octets are left of it.
ALTER TABLE "signing_keys" ADD COLUMN "withdrawn_at" TIMESTAMPTZ(3);
ALTER TABLE "signing_keys" ADD CONSTRAINT "signing_keys_withdrawn_check"
  CHECK ("withdrawn_at" IS NULL OR ("state" IN ('retired', 'compromised') AND octet_length("sealed_private_key") = 0));
CREATE INDEX "signing_keys_to_withdraw" ON "signing_keys" ("retired_at")
  WHERE "withdrawn_at" IS NULL AND "state" IN ('retired', 'compromised') AND "purpose" <> 'saml';
