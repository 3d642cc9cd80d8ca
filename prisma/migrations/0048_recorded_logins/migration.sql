-- What policy decided on a login, and on what: claims that the mapping made, never a token or an assertion. By the tenant's opt-in, sealed,
-- kept for a named time and bounded per tenant; what policies are tried on before they are published.
CREATE TABLE "recorded_logins" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "connection_id" UUID NOT NULL,
  "subject_id" UUID NOT NULL,
  "client_id" TEXT NOT NULL,
  "outcome" TEXT NOT NULL,
  "policy_version" INTEGER NOT NULL,
  "sealed" BYTEA NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "recorded_logins_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "recorded_logins_outcome_check" CHECK ("outcome" IN ('allow', 'stepUp', 'deny'))
);
CREATE INDEX "recorded_logins_tenant_id_at_id_idx" ON "recorded_logins" ("tenant_id", "at", "id");
CREATE INDEX "recorded_logins_tenant_id_connection_id_idx" ON "recorded_logins" ("tenant_id", "connection_id");
CREATE INDEX "recorded_logins_tenant_id_subject_id_idx" ON "recorded_logins" ("tenant_id", "subject_id");
CREATE INDEX "recorded_logins_expires_at_idx" ON "recorded_logins" ("expires_at");
ALTER TABLE "recorded_logins" ADD CONSTRAINT "recorded_logins_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "recorded_logins" ADD CONSTRAINT "recorded_logins_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id")
  REFERENCES "subjects" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "recorded_logins" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "recorded_logins" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "recorded_logins" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "recorded_logins" TO drawbridge_across USING (true);
CREATE POLICY owner ON "recorded_logins" TO CURRENT_USER USING (true);
-- UPDATE: what is decided again on the same login takes the place of what was decided before; and the value is sealed anew under another master key.
GRANT SELECT, INSERT, UPDATE, DELETE ON "recorded_logins" TO drawbridge_tenant;
-- The sweep, and which versions of the master key are still needed.
GRANT SELECT, DELETE ON "recorded_logins" TO drawbridge_across;

-- Whether decisions on logins are recorded. Off until the tenant says so. Every process that has the tenant in its cache is told.
ALTER TABLE "tenants" ADD COLUMN "records_logins" BOOLEAN NOT NULL DEFAULT false;
CREATE TRIGGER own_login_recording_changed BEFORE UPDATE OF records_logins ON "tenants"
  FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();

-- To read what recorded logins say of people is a permission of its own. Whoever holds a key that changes connections and mappings decides
-- what is recorded, so such keys hold it, too; or no key of an installation that exists could make one that does.
UPDATE "admin_keys" SET "permissions" = array_append("permissions", 'claims:read')
  WHERE 'impersonate' = ANY ("permissions") AND NOT 'claims:read' = ANY ("permissions");
