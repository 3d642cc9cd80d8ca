-- Authorization requests that a client pushed (RFC 9126), until a browser brings the address that names them. Used once: then the row is gone.
CREATE TABLE "pushed_requests" (
  "tenant_id" UUID NOT NULL,
  "request_hash" BYTEA NOT NULL,
  "issuer_id" UUID NOT NULL,
  "client_id" TEXT NOT NULL,
  "parameters" JSONB NOT NULL,
  "tenant_epoch" INTEGER NOT NULL,
  "client_epoch" INTEGER NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "pushed_requests_pkey" PRIMARY KEY ("tenant_id", "request_hash")
);
ALTER TABLE "pushed_requests" ADD CONSTRAINT "pushed_requests_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "pushed_requests" ADD CONSTRAINT "pushed_requests_client_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id", "client_id")
  REFERENCES "clients" ("tenant_id", "issuer_id", "client_id") ON DELETE CASCADE;
CREATE INDEX "pushed_requests_client_id_idx" ON "pushed_requests" ("client_id");
CREATE INDEX "pushed_requests_expires_at_idx" ON "pushed_requests" ("expires_at");
ALTER TABLE "pushed_requests" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "pushed_requests" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "pushed_requests" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY hot ON "pushed_requests" TO drawbridge_hot USING (true);
CREATE POLICY across ON "pushed_requests" TO drawbridge_across USING (true);
CREATE POLICY owner ON "pushed_requests" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "pushed_requests" TO drawbridge_tenant;
GRANT SELECT, INSERT, DELETE ON "pushed_requests" TO drawbridge_hot;
GRANT SELECT, DELETE ON "pushed_requests" TO drawbridge_across;

-- Whoever demands it. A version that knows nothing of the columns demands it of nobody.
ALTER TABLE "clients" ADD COLUMN "require_pushed_requests" BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE "tenants" ADD COLUMN "require_pushed_requests" BOOLEAN NOT NULL DEFAULT false;
CREATE TRIGGER require_pushed_requests_changed BEFORE UPDATE OF require_pushed_requests ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
