-- Token exchange (RFC 8693, docs/adr/0076). Who may exchange whose tokens for which resource; nobody may until somebody has chosen. A version that
-- knows nothing of it answers that the grant type is not supported.
ALTER TABLE "tenants" ADD COLUMN "token_exchange" JSONB;
CREATE TRIGGER token_exchange_changed BEFORE UPDATE OF token_exchange ON "tenants" FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();

-- The grants that a grant was opened from by an exchange, the nearest first, and the epoch that each had then. What ends one of them ends it.
ALTER TABLE "grants" ADD COLUMN "ancestors" UUID[] NOT NULL DEFAULT '{}', ADD COLUMN "ancestor_epochs" INTEGER[] NOT NULL DEFAULT '{}';
ALTER TABLE "grants" ADD CONSTRAINT "grants_ancestors_check" CHECK (cardinality("ancestors") = cardinality("ancestor_epochs"));
CREATE INDEX "grants_ancestors" ON "grants" USING gin ("ancestors") WHERE "ancestors" <> '{}';

-- Whoever opens a grant by an exchange holds the permissions that it was allowed by until the grant is there: whoever changes them waits for the grants
-- that are being opened, and then finds every one of them. It reads with a snapshot of its own, so that one that had to wait sees what was changed.
CREATE FUNCTION hold_exchange_permissions(tenant uuid, decided_under integer) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(hashtextextended('exchange:' || tenant::text, 0));
  RETURN EXISTS (SELECT 1 FROM tenants WHERE id = tenant AND configuration_version = decided_under);
END
$$;
