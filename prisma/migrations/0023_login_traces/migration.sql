-- What a login that failed leaves behind for whoever has to mend it: sealed, kept for a named time, and bounded per connection and hour.
CREATE TABLE "login_traces" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "code" TEXT NOT NULL,
  "connection_id" UUID NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  "outcome" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "proven" BOOLEAN NOT NULL,
  "sealed" BYTEA NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "login_traces_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "login_traces_outcome_check" CHECK ("outcome" IN ('unavailable', 'refused', 'denied'))
);
CREATE UNIQUE INDEX "login_traces_tenant_id_code_key" ON "login_traces" ("tenant_id", "code");
CREATE INDEX "login_traces_tenant_id_at_id_idx" ON "login_traces" ("tenant_id", "at", "id");
CREATE INDEX "login_traces_tenant_id_connection_id_idx" ON "login_traces" ("tenant_id", "connection_id");
CREATE INDEX "login_traces_expires_at_idx" ON "login_traces" ("expires_at");
ALTER TABLE "login_traces" ADD CONSTRAINT "login_traces_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;

-- How many logins failed in one hour, by reason. One row counts, however many come, and tells when the hour has traces enough.
CREATE TABLE "login_failures" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "hour" TIMESTAMPTZ(3) NOT NULL,
  "proven" BOOLEAN NOT NULL,
  "failures" INTEGER NOT NULL,
  "reasons" JSONB NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "login_failures_pkey" PRIMARY KEY ("tenant_id", "connection_id", "hour", "proven")
);
CREATE INDEX "login_failures_expires_at_idx" ON "login_failures" ("expires_at");
ALTER TABLE "login_failures" ADD CONSTRAINT "login_failures_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;

ALTER TABLE "login_traces" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "login_traces" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "login_traces" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "login_traces" TO drawbridge_across USING (true);
CREATE POLICY owner ON "login_traces" TO CURRENT_USER USING (true);
ALTER TABLE "login_failures" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "login_failures" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "login_failures" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "login_failures" TO drawbridge_across USING (true);
CREATE POLICY owner ON "login_failures" TO CURRENT_USER USING (true);
-- UPDATE of a trace: sealed anew under another master key, nothing else.
GRANT SELECT, INSERT, UPDATE ("sealed") ON "login_traces" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ON "login_failures" TO drawbridge_tenant;
-- The sweep, and which versions of the master key are still needed.
GRANT SELECT, DELETE ON "login_traces", "login_failures" TO drawbridge_across;

-- Whether the trace of a failed login holds what the mapping made of it. Off until the tenant says so.
ALTER TABLE "tenants" ADD COLUMN "records_failed_claims" BOOLEAN NOT NULL DEFAULT false;
