-- The key that a code, or the refresh tokens of a public client, are bound to: its thumbprint. A version that knows nothing of the columns redeems
-- and refreshes without the key, and what it makes is bound to nothing.
ALTER TABLE "authorization_codes" ADD COLUMN "dpop_jkt" TEXT;
ALTER TABLE "refresh_tokens" ADD COLUMN "dpop_jkt" TEXT;
-- Which clients take only tokens that are bound to a key, by their own word.
ALTER TABLE "clients" ADD COLUMN "dpop_bound_access_tokens" BOOLEAN NOT NULL DEFAULT false;
-- What a tenant demands of such tokens. Null: nothing.
ALTER TABLE "tenants" ADD COLUMN "dpop" JSONB;
CREATE TRIGGER dpop_changed BEFORE UPDATE OF dpop ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
