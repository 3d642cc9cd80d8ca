-- Test cases stand beside the policy that they are about, version by version. Empty: it has none. A broker of the version before writes none.
ALTER TABLE "policies" ADD COLUMN "cases" TEXT NOT NULL DEFAULT '';

-- A policy that is none yet: no login reads this table.
CREATE TABLE "policy_drafts" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "base_version" INTEGER NOT NULL,
  "document" TEXT NOT NULL,
  "cases" TEXT NOT NULL,
  "author" TEXT NOT NULL,
  "note" TEXT NOT NULL,
  "revision" INTEGER NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "changed_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "policy_drafts_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE INDEX "policy_drafts_expires_at_idx" ON "policy_drafts" ("expires_at");
ALTER TABLE "policy_drafts" ADD CONSTRAINT "policy_drafts_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "policy_drafts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "policy_drafts" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "policy_drafts" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "policy_drafts" TO drawbridge_across USING (true);
CREATE POLICY owner ON "policy_drafts" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, DELETE, UPDATE ("base_version", "document", "cases", "author", "note", "revision", "changed_at", "expires_at")
  ON "policy_drafts" TO drawbridge_tenant;
-- The sweep.
GRANT SELECT, DELETE ON "policy_drafts" TO drawbridge_across;
