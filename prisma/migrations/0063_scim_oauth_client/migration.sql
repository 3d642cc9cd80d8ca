-- A directory may prove itself with an access token of ours instead of a secret: a row then names the OAuth client, and holds no secret. The running
-- version compares secrets, and nothing is equal to none.
ALTER TABLE "scim_tokens" ALTER COLUMN "secret_hash" DROP NOT NULL;
ALTER TABLE "scim_tokens" ADD COLUMN "issuer_id" UUID;
ALTER TABLE "scim_tokens" ADD COLUMN "client_id" TEXT;
ALTER TABLE "scim_tokens" ADD CONSTRAINT "scim_tokens_proof_check" CHECK (("secret_hash" IS NULL) = ("client_id" IS NOT NULL) AND ("client_id" IS NULL) = ("issuer_id" IS NULL));
ALTER TABLE "scim_tokens" ADD CONSTRAINT "scim_tokens_client_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id", "client_id") REFERENCES "clients" ("tenant_id", "issuer_id", "client_id") ON DELETE CASCADE;
-- A client speaks for one connection: for two, it would have to say which, and could say the wrong one.
CREATE UNIQUE INDEX "scim_tokens_living_client" ON "scim_tokens" ("tenant_id", "issuer_id", "client_id") WHERE "client_id" IS NOT NULL AND "revoked_at" IS NULL;
