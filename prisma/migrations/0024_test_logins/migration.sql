-- A login that an admin runs in her own browser to see what would come of one: it opens nothing.
CREATE TABLE "test_logins" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "token_hash" BYTEA NOT NULL,
  "asked" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "redeemed_at" TIMESTAMPTZ(3),
  "outcome" TEXT,
  "sealed" BYTEA,
  "finished_at" TIMESTAMPTZ(3),
  CONSTRAINT "test_logins_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "test_logins_outcome_check" CHECK (("outcome" IS NULL) = ("sealed" IS NULL) AND ("finished_at" IS NULL OR "outcome" IS NOT NULL))
);
CREATE UNIQUE INDEX "test_logins_tenant_id_token_hash_key" ON "test_logins" ("tenant_id", "token_hash");
CREATE INDEX "test_logins_tenant_id_connection_id_idx" ON "test_logins" ("tenant_id", "connection_id");
CREATE INDEX "test_logins_expires_at_idx" ON "test_logins" ("expires_at");
ALTER TABLE "test_logins" ADD CONSTRAINT "test_logins_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "test_logins" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "test_logins" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "test_logins" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "test_logins" TO drawbridge_across USING (true);
CREATE POLICY owner ON "test_logins" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ("redeemed_at", "outcome", "sealed", "finished_at") ON "test_logins" TO drawbridge_tenant;
-- The sweep, and which versions of the master key are still needed.
GRANT SELECT, DELETE ON "test_logins" TO drawbridge_across;

-- A trip belongs to an authorization request, or to a test, and never to both: what began as one cannot end as the other.
ALTER TABLE "login_requests" ALTER COLUMN "authorization_request_id" DROP NOT NULL;
ALTER TABLE "login_requests" ADD COLUMN "test_login_id" UUID;
ALTER TABLE "login_requests" ADD CONSTRAINT "login_requests_test_check"
  CHECK (("purpose" = 'test') = ("test_login_id" IS NOT NULL) AND ("purpose" = 'test') = ("authorization_request_id" IS NULL));
ALTER TABLE "login_requests" ADD CONSTRAINT "login_requests_test_login_id_fkey" FOREIGN KEY ("tenant_id", "test_login_id")
  REFERENCES "test_logins" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX login_requests_of_tests ON "login_requests" ("test_login_id") WHERE "test_login_id" IS NOT NULL;
