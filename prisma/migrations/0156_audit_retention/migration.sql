-- How long a tenant's trail is kept. No row: for ever, also for a version that knows nothing of the table.
CREATE TABLE "audit_retention" (
  "tenant_id" UUID NOT NULL,
  "everyday_days" INTEGER,
  "other_days" INTEGER,
  "chosen_at" TIMESTAMPTZ(3) NOT NULL,
  -- How far the trail has been looked through, of each class: what was kept is not looked at again.
  "everyday_at" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00+00',
  "everyday_id" BIGINT NOT NULL DEFAULT 0,
  "other_at" TIMESTAMPTZ(3) NOT NULL DEFAULT '1970-01-01 00:00:00+00',
  "other_id" BIGINT NOT NULL DEFAULT 0,
  CONSTRAINT "audit_retention_pkey" PRIMARY KEY ("tenant_id")
);
ALTER TABLE "audit_retention" ADD CONSTRAINT "audit_retention_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "audit_retention" ADD CONSTRAINT "audit_retention_least" CHECK ("everyday_days" >= 30 AND "other_days" >= 400);

ALTER TABLE "audit_retention" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "audit_retention" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "audit_retention" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "audit_retention" TO drawbridge_across USING (true);
CREATE POLICY owner ON "audit_retention" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE ("everyday_days", "other_days", "chosen_at") ON "audit_retention" TO drawbridge_tenant;
GRANT SELECT, UPDATE ("everyday_at", "everyday_id", "other_at", "other_id") ON "audit_retention" TO drawbridge_across;
GRANT DELETE ON "audit_events" TO drawbridge_across;

-- The trail is append-only but for lines whose time is over by what their tenant has chosen, whoever deletes. It asks the clock of the database: a line that
-- its process calls old is not for that.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  present timestamptz := clock_timestamp() + coalesce((SELECT lab_clock_offset_ms FROM installation LIMIT 1), 0) * interval '1 millisecond';
BEGIN
  IF TG_OP = 'DELETE' AND OLD.kind NOT IN ('audit_events.ended', 'tenant.audit_retention_changed') AND EXISTS (
    SELECT 1 FROM audit_retention r WHERE r.tenant_id = OLD.tenant_id AND r.chosen_at <= present - interval '7 days'
      AND OLD.at < present - make_interval(days => CASE
        WHEN OLD.kind IN ('assertion_redeemed', 'authorization_request_pushed', 'client_token_issued', 'code_redeemed', 'id_jag_issued', 'token_exchanged',
          'token_refresh_repeated', 'token_refreshed', 'tenant_chosen') THEN r.everyday_days
        ELSE r.other_days END))
  THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% of % is refused: the audit trail is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;
DROP TRIGGER append_only ON "audit_events";
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "audit_events" FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
