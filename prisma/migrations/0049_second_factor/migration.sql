-- A second factor of our own (docs/adr/0034). Null: off, and then nothing below is read.
ALTER TABLE "tenants" ADD COLUMN "second_factor" JSONB;
CREATE TRIGGER second_factor_changed BEFORE UPDATE OF second_factor ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();

-- When an admin last took a person's factors away: what is privileged waits for a time after it.
ALTER TABLE "subjects" ADD COLUMN "factors_reset_at" TIMESTAMPTZ(3);

-- What was proved beside the sign-in at the IdP when the grant was new, apart from it: `acr` and `amr` stay what the IdP said.
ALTER TABLE "grants" ADD COLUMN "own_methods" TEXT[] NOT NULL DEFAULT '{}', ADD COLUMN "own_proved_at" TIMESTAMPTZ(3);
ALTER TABLE "grants" ADD CONSTRAINT "grants_own_factor_check" CHECK ((cardinality("own_methods") > 0) = ("own_proved_at" IS NOT NULL));

ALTER TABLE "authorization_requests" DROP CONSTRAINT "authorization_requests_step_check";
ALTER TABLE "authorization_requests" ADD CONSTRAINT "authorization_requests_step_check"
  CHECK ("step" IN ('choose_connection', 'client_notice', 'login', 'second_factor', 'consent', 'answered'));

CREATE TABLE "factors" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "subject_id" UUID NOT NULL,
  "kind" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "enrolled_by" TEXT NOT NULL,
  "enrolled_in" UUID NOT NULL,
  "rp_id" TEXT,
  "credential_id" TEXT,
  "public_key" BYTEA,
  "counter" BIGINT,
  "transports" TEXT[] NOT NULL DEFAULT '{}',
  "sealed_secret" BYTEA,
  "last_step" BIGINT,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "used_at" TIMESTAMPTZ(3),
  CONSTRAINT "factors_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "factors_enrolled_by_check" CHECK ("enrolled_by" IN ('code', 'idp', 'factor')),
  CONSTRAINT "factors_kind_check" CHECK (
    "kind" = 'passkey' AND num_nulls("rp_id", "credential_id", "public_key", "counter") = 0 AND num_nonnulls("sealed_secret", "last_step") = 0
    OR "kind" = 'totp' AND num_nonnulls("rp_id", "credential_id", "public_key", "counter") = 0 AND num_nulls("sealed_secret", "last_step") = 0)
);
CREATE UNIQUE INDEX "factors_tenant_id_credential_id_key" ON "factors" ("tenant_id", "credential_id");
CREATE INDEX "factors_tenant_id_subject_id_idx" ON "factors" ("tenant_id", "subject_id");
ALTER TABLE "factors" ADD CONSTRAINT "factors_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id") REFERENCES "subjects" ("tenant_id", "id");

-- A code from the tenant's admin, for the first factor of one person.
CREATE TABLE "factor_codes" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "subject_id" UUID NOT NULL,
  "code_hash" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "used_at" TIMESTAMPTZ(3),
  "revoked_at" TIMESTAMPTZ(3),
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "factor_codes_pkey" PRIMARY KEY ("tenant_id", "id")
);
CREATE UNIQUE INDEX "factor_codes_tenant_id_code_hash_key" ON "factor_codes" ("tenant_id", "code_hash");
CREATE INDEX "factor_codes_tenant_id_subject_id_idx" ON "factor_codes" ("tenant_id", "subject_id");
CREATE INDEX "factor_codes_expires_at_idx" ON "factor_codes" ("expires_at");
ALTER TABLE "factor_codes" ADD CONSTRAINT "factor_codes_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id")
  REFERENCES "subjects" ("tenant_id", "id");

-- Wrong guesses in a row, of one person and kind, whatever process was asked.
CREATE TABLE "factor_guesses" (
  "tenant_id" UUID NOT NULL,
  "subject_id" UUID NOT NULL,
  "kind" TEXT NOT NULL,
  "guesses" INTEGER NOT NULL,
  "next_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "factor_guesses_pkey" PRIMARY KEY ("tenant_id", "subject_id", "kind"),
  CONSTRAINT "factor_guesses_kind_check" CHECK ("kind" IN ('totp', 'code'))
);
ALTER TABLE "factor_guesses" ADD CONSTRAINT "factor_guesses_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id")
  REFERENCES "subjects" ("tenant_id", "id");

-- What one authorization request has been asked and shown, in one session: its challenge, the permission to enrol, and the proof.
CREATE TABLE "factor_rounds" (
  "tenant_id" UUID NOT NULL,
  "authorization_request_id" UUID NOT NULL,
  "session_id" UUID NOT NULL,
  "challenge" BYTEA,
  "challenged_at" TIMESTAMPTZ(3),
  "permitted_by" TEXT,
  "methods" TEXT[] NOT NULL DEFAULT '{}',
  "proved_at" TIMESTAMPTZ(3),
  "factor_id" UUID,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "factor_rounds_pkey" PRIMARY KEY ("tenant_id", "authorization_request_id"),
  CONSTRAINT "factor_rounds_permitted_by_check" CHECK ("permitted_by" IN ('code', 'idp', 'factor')),
  CONSTRAINT "factor_rounds_challenge_check" CHECK (("challenge" IS NULL) = ("challenged_at" IS NULL)),
  CONSTRAINT "factor_rounds_proof_check" CHECK ((cardinality("methods") > 0) = ("proved_at" IS NOT NULL) AND ("proved_at" IS NULL) = ("factor_id" IS NULL))
);
CREATE INDEX "factor_rounds_expires_at_idx" ON "factor_rounds" ("expires_at");
ALTER TABLE "factor_rounds" ADD CONSTRAINT "factor_rounds_authorization_request_id_fkey" FOREIGN KEY ("tenant_id", "authorization_request_id")
  REFERENCES "authorization_requests" ("tenant_id", "id") ON DELETE CASCADE;

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['factors', 'factor_codes', 'factor_guesses', 'factor_rounds'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_only ON %I TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting(''drawbridge.tenant_id'', true), '''')::uuid)', name);
    EXECUTE format('CREATE POLICY across ON %I TO drawbridge_across USING (true)', name);
    EXECUTE format('CREATE POLICY owner ON %I TO CURRENT_USER USING (true)', name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, DELETE, UPDATE ("counter", "last_step", "used_at", "sealed_secret") ON "factors" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ("used_at", "revoked_at") ON "factor_codes" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON "factor_guesses" TO drawbridge_tenant;
GRANT SELECT, INSERT, UPDATE ON "factor_rounds" TO drawbridge_tenant;
-- Which versions of the master key are still needed, and the sweep.
GRANT SELECT ON "factors", "factor_codes", "factor_rounds" TO drawbridge_across;
GRANT DELETE ON "factor_codes", "factor_rounds" TO drawbridge_across;

-- A mail to somebody who is told of what was done to herself, and is no contact.
ALTER TABLE "announcements" ADD COLUMN "is_own" BOOLEAN NOT NULL DEFAULT false;
