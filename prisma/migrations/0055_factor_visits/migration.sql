-- A person looks at her own second factors, adds one or takes one away: outside of any authorization request, in one session of one browser
-- that was opened for it by a fresh sign-in (docs/adr/0055). The running version knows nothing of it and refuses such a sign-in.
CREATE TABLE "factor_visits" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "issuer_id" UUID NOT NULL,
  "browser_hash" BYTEA NOT NULL,
  "session_id" UUID,
  "subject_id" UUID,
  "challenge" BYTEA,
  "challenged_at" TIMESTAMPTZ(3),
  "proved_by" UUID,
  "proved_at" TIMESTAMPTZ(3),
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "factor_visits_pkey" PRIMARY KEY ("tenant_id", "id"),
  CONSTRAINT "factor_visits_session_check" CHECK (("session_id" IS NULL) = ("subject_id" IS NULL)),
  CONSTRAINT "factor_visits_challenge_check" CHECK (("challenge" IS NULL) = ("challenged_at" IS NULL)),
  CONSTRAINT "factor_visits_proof_check" CHECK (("proved_by" IS NULL) = ("proved_at" IS NULL) AND ("proved_by" IS NULL OR "session_id" IS NOT NULL))
);
CREATE INDEX "factor_visits_expires_at_idx" ON "factor_visits" ("expires_at");
CREATE INDEX "factor_visits_session_id_idx" ON "factor_visits" ("session_id");
ALTER TABLE "factor_visits" ADD CONSTRAINT "factor_visits_issuer_id_fkey" FOREIGN KEY ("tenant_id", "issuer_id") REFERENCES "issuers" ("tenant_id", "id");
ALTER TABLE "factor_visits" ADD CONSTRAINT "factor_visits_session_id_fkey" FOREIGN KEY ("tenant_id", "session_id")
  REFERENCES "browser_sessions" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "factor_visits" ADD CONSTRAINT "factor_visits_subject_id_fkey" FOREIGN KEY ("tenant_id", "subject_id") REFERENCES "subjects" ("tenant_id", "id");

ALTER TABLE "factor_visits" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "factor_visits" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "factor_visits" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "factor_visits" TO drawbridge_across USING (true);
CREATE POLICY owner ON "factor_visits" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ("session_id", "subject_id", "challenge", "challenged_at", "proved_by", "proved_at", "expires_at") ON "factor_visits" TO drawbridge_tenant;
GRANT SELECT, DELETE ON "factor_visits" TO drawbridge_across;

-- A trip belongs to an authorization request, to a test or to a visit, and to one of them alone: what began as one cannot end as another.
ALTER TABLE "login_requests" ADD COLUMN "factor_visit_id" UUID;
ALTER TABLE "login_requests" DROP CONSTRAINT "login_requests_test_check";
ALTER TABLE "login_requests" ADD CONSTRAINT "login_requests_purpose_of_trip_check" CHECK (
  ("purpose" = 'test') = ("test_login_id" IS NOT NULL) AND ("purpose" = 'enrol') = ("factor_visit_id" IS NOT NULL)
  AND ("purpose" IN ('test', 'enrol')) = ("authorization_request_id" IS NULL));
ALTER TABLE "login_requests" ADD CONSTRAINT "login_requests_factor_visit_id_fkey" FOREIGN KEY ("tenant_id", "factor_visit_id")
  REFERENCES "factor_visits" ("tenant_id", "id") ON DELETE CASCADE;
CREATE INDEX login_requests_of_visits ON "login_requests" ("factor_visit_id") WHERE "factor_visit_id" IS NOT NULL;

-- Whose factor was taken away has nothing proved by it any more.
CREATE INDEX factor_rounds_of_factors ON "factor_rounds" ("factor_id") WHERE "factor_id" IS NOT NULL;
