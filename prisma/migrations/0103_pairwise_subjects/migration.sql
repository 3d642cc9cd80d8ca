-- Clients that know people by a sub of their own sector. A version that knows nothing of the columns tells them the one that everybody is told.
ALTER TABLE "clients" ADD COLUMN "sector_identifier" TEXT, ADD COLUMN "sector_identifier_uri" TEXT;
ALTER TABLE "tenants" ADD COLUMN "pairwise_by_default" BOOLEAN NOT NULL DEFAULT false;
CREATE TRIGGER pairwise_by_default_changed BEFORE UPDATE OF pairwise_by_default ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();

-- The key behind them: never replaced, because clients know people by what comes of it.
CREATE TABLE "pairwise_keys" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "sealed_key" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "pairwise_keys_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "pairwise_keys_once" ON "pairwise_keys" ("tenant_id");
ALTER TABLE "pairwise_keys" ADD CONSTRAINT "pairwise_keys_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE ON "pairwise_keys" FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();

ALTER TABLE "pairwise_keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "pairwise_keys" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "pairwise_keys" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "pairwise_keys" TO drawbridge_across USING (true);
CREATE POLICY owner ON "pairwise_keys" TO CURRENT_USER USING (true);
-- UPDATE: sealed anew under another master key, nothing else.
GRANT SELECT, INSERT, UPDATE ("sealed_key") ON "pairwise_keys" TO drawbridge_tenant;
GRANT SELECT ON "pairwise_keys" TO drawbridge_across;
