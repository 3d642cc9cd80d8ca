-- Devices without a browser of their own ask for access by a code that a person types elsewhere (RFC 8628, docs/adr/0071). A version that knows nothing
-- of it answers such a device that the grant type is not supported, and such a person that there is no such page.
ALTER TABLE "tenants" ADD COLUMN "device_grant" BOOLEAN NOT NULL DEFAULT false;
CREATE TRIGGER device_grant_changed BEFORE UPDATE OF device_grant ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();

CREATE TABLE "device_codes" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "issuer_id" UUID NOT NULL,
  "client_id" TEXT NOT NULL,
  "device_code_hash" BYTEA NOT NULL,
  "user_code_hash" BYTEA NOT NULL,
  "request" JSONB NOT NULL,
  "asked_address" TEXT,
  "asked_country" TEXT,
  "tenant_epoch" INTEGER NOT NULL,
  "client_epoch" INTEGER NOT NULL,
  "interval_seconds" INTEGER NOT NULL,
  "polled_at" TIMESTAMPTZ(3),
  "polled_early" BOOLEAN NOT NULL DEFAULT false,
  "decided_at" TIMESTAMPTZ(3),
  "code_hash" BYTEA,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "device_codes_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "device_codes_code_check" CHECK ("code_hash" IS NULL OR "decided_at" IS NOT NULL)
);
CREATE UNIQUE INDEX "device_codes_device_code_hash_key" ON "device_codes" ("device_code_hash");
CREATE UNIQUE INDEX "device_codes_user_code_hash_key" ON "device_codes" ("user_code_hash");
CREATE INDEX "device_codes_client_id_idx" ON "device_codes" ("client_id");
CREATE INDEX "device_codes_code_hash_idx" ON "device_codes" ("code_hash");
CREATE INDEX "device_codes_expires_at_idx" ON "device_codes" ("expires_at");
ALTER TABLE "device_codes" SET (fillfactor = 70);
ALTER TABLE "device_codes" ADD CONSTRAINT "device_codes_client_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id", "client_id")
  REFERENCES "clients" ("tenant_id", "issuer_id", "client_id") ON DELETE CASCADE;
ALTER TABLE "device_codes" ADD CONSTRAINT "device_codes_code_hash_fkey" FOREIGN KEY ("tenant_id", "code_hash")
  REFERENCES "authorization_codes" ("tenant_id", "code_hash") ON DELETE CASCADE;

-- How often somebody typed a code that is none: of one address, and of all of a tenant ('*').
CREATE TABLE "user_code_guesses" (
  "tenant_id" UUID NOT NULL,
  "guesser" TEXT NOT NULL,
  "wrong" INTEGER NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "user_code_guesses_pkey" PRIMARY KEY ("tenant_id", "guesser")
);
CREATE INDEX "user_code_guesses_expires_at_idx" ON "user_code_guesses" ("expires_at");
ALTER TABLE "user_code_guesses" ADD CONSTRAINT "user_code_guesses_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['device_codes', 'user_code_guesses'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_only ON %I TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting(''drawbridge.tenant_id'', true), '''')::uuid)', name);
    EXECUTE format('CREATE POLICY hot ON %I TO drawbridge_hot USING (true)', name);
    EXECUTE format('CREATE POLICY across ON %I TO drawbridge_across USING (true)', name);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true)', name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ("polled_at", "polled_early", "interval_seconds", "decided_at", "code_hash") ON "device_codes" TO drawbridge_hot;
GRANT SELECT, UPDATE ("decided_at") ON "device_codes" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ON "user_code_guesses" TO drawbridge_hot;
GRANT SELECT, DELETE ON "device_codes", "user_code_guesses" TO drawbridge_across;
