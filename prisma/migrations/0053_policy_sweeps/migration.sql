-- A policy may be published with effect at once on what is open. Grants that were decided under a lower version than this are decided again
-- before anything is said or issued of them, from the commit of the publish on. The running version leaves it 0, which asks for nothing.
ALTER TABLE "tenants" ADD COLUMN "policy_barrier" INTEGER NOT NULL DEFAULT 0;

-- How far the worker has come with deciding the grants of a tenant again, by the version that demanded it.
CREATE TABLE "policy_sweeps" (
  "tenant_id" UUID NOT NULL,
  "version" INTEGER NOT NULL,
  "demanded_at" TIMESTAMPTZ(3) NOT NULL,
  "progressed_at" TIMESTAMPTZ(3) NOT NULL,
  "settled_at" TIMESTAMPTZ(3),
  "looked_at" INTEGER NOT NULL DEFAULT 0,
  "shrunk" INTEGER NOT NULL DEFAULT 0,
  "deferred" INTEGER NOT NULL DEFAULT 0,
  "ended" INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT "policy_sweeps_pkey" PRIMARY KEY ("tenant_id", "version")
);
ALTER TABLE "policy_sweeps" ADD CONSTRAINT "policy_sweeps_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
CREATE INDEX "policy_sweeps_unsettled" ON "policy_sweeps" ("tenant_id") WHERE "settled_at" IS NULL;

ALTER TABLE "policy_sweeps" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "policy_sweeps" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "policy_sweeps" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "policy_sweeps" TO drawbridge_across USING (true);
CREATE POLICY owner ON "policy_sweeps" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ON "policy_sweeps" TO drawbridge_tenant;
GRANT SELECT ON "policy_sweeps" TO drawbridge_across;

-- The vendor's policy may say the same for every tenant at once. Only a transaction of the vendor's own tenant may ask for it; the versions
-- were raised in it before (wall_moved).
CREATE FUNCTION demand_policy_sweeps_everywhere(demanded_at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  vendor CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
  IF NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid IS DISTINCT FROM vendor THEN
    RAISE EXCEPTION 'only the vendor may have the grants of all tenants decided again' USING ERRCODE = 'insufficient_privilege';
  END IF;
  WITH barred AS (UPDATE tenants SET policy_barrier = policy_version WHERE id <> vendor RETURNING id, policy_version),
  demanded AS (
    INSERT INTO policy_sweeps (tenant_id, version, demanded_at, progressed_at)
    SELECT id, policy_version, demand_policy_sweeps_everywhere.demanded_at, demand_policy_sweeps_everywhere.demanded_at FROM barred)
  INSERT INTO outbox (tenant_id, kind, payload, created_at)
  SELECT id, 'settle-grants', jsonb_build_object('version', policy_version), demand_policy_sweeps_everywhere.demanded_at FROM barred;
  PERFORM pg_notify('drawbridge_outbox', vendor::text);
END
$$;
REVOKE ALL ON FUNCTION demand_policy_sweeps_everywhere(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION demand_policy_sweeps_everywhere(timestamptz) TO drawbridge_tenant;
