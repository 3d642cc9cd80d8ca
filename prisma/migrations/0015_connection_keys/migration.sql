-- Keys with which we prove to an OpenID provider that we are its client (private_key_jwt): a set per connection, rotated by overlap.
CREATE TABLE "connection_keys" (
  "tenant_id" UUID NOT NULL,
  "id" TEXT NOT NULL,
  "connection_id" UUID NOT NULL,
  "algorithm" TEXT NOT NULL,
  "state" TEXT NOT NULL,
  "public_jwk" JSONB NOT NULL,
  "certificate" TEXT,
  "sealed_private_key" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "activated_at" TIMESTAMPTZ(3),
  "retired_at" TIMESTAMPTZ(3),
  CONSTRAINT "connection_keys_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "connection_keys_state_check" CHECK ("state" IN ('next', 'active', 'retired')),
  CONSTRAINT "connection_keys_algorithm_check" CHECK ("algorithm" IN ('RS256', 'PS256', 'ES256'))
);
ALTER TABLE "connection_keys" ADD CONSTRAINT "connection_keys_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX "connection_keys_tenant_id_connection_id_idx" ON "connection_keys" ("tenant_id", "connection_id");
CREATE UNIQUE INDEX "connection_keys_one_active" ON "connection_keys" ("tenant_id", "connection_id") WHERE "state" = 'active';

ALTER TABLE "connection_keys" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "connection_keys" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "connection_keys" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "connection_keys" TO drawbridge_across USING (true);
CREATE POLICY owner ON "connection_keys" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "connection_keys" TO drawbridge_tenant;
-- Which versions of the master key are still needed.
GRANT SELECT ON "connection_keys" TO drawbridge_across;

-- A connector keeps the key it signs with for as long as the configuration that it was made from.
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE ON "connection_keys" FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
