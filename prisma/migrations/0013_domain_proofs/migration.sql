-- Only a proof makes an owner: any tenant may claim a domain, one may have it proven.
DROP INDEX "domains_domain_key";
CREATE UNIQUE INDEX "domains_proven_domain_key" ON "domains" ("domain") WHERE "verified_at" IS NOT NULL;
CREATE INDEX "domains_domain_idx" ON "domains" ("domain");

-- `challenge`: what the DNS has to say; it is no secret. `proof`: by which a domain is proven now. `lapsed_at`: it was proven once and is no more.
-- `failing_since`, `failed_checks`: re-verification that fails at present.
ALTER TABLE "domains" ADD COLUMN "challenge" TEXT, ADD COLUMN "proof" TEXT, ADD COLUMN "lapsed_at" TIMESTAMPTZ(3),
  ADD COLUMN "checked_at" TIMESTAMPTZ(3), ADD COLUMN "next_check_at" TIMESTAMPTZ(3),
  ADD COLUMN "failing_since" TIMESTAMPTZ(3), ADD COLUMN "failed_checks" INTEGER NOT NULL DEFAULT 0;
UPDATE "domains" SET "proof" = 'vouched' WHERE "verified_at" IS NOT NULL;
ALTER TABLE "domains" ADD CONSTRAINT "domains_proof_check" CHECK ("proof" IN ('dns', 'vouched'));
CREATE INDEX "domains_next_check_at_idx" ON "domains" ("next_check_at");

-- A check that changes nothing of what is proven is no change of configuration.
DROP TRIGGER configuration_changed ON "domains";
CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE OR UPDATE OF domain, connection_id, verified_at, lapsed_at ON "domains"
  FOR EACH ROW EXECUTE FUNCTION raise_configuration_version();
-- The worker takes what is due, in all tenants, by moving its next check.
GRANT UPDATE ("next_check_at") ON "domains" TO drawbridge_across;
