-- What a stream of security events brought and was refused, for each reason apart, so that one which comes often does not hide another. A version that
-- knows nothing of it goes on with one window for all reasons (signal_streams.refusal_alarmed_at), and writes none here.
CREATE TABLE "signal_refusals" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "reason" TEXT NOT NULL,
  "refusals" INTEGER NOT NULL,
  "refused_at" TIMESTAMPTZ(3) NOT NULL,
  "alarmed_at" TIMESTAMPTZ(3),
  CONSTRAINT "signal_refusals_pkey" PRIMARY KEY ("tenant_id", "connection_id", "reason")
);
ALTER TABLE "signal_refusals" ADD CONSTRAINT "signal_refusals_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "signal_refusals" ADD CONSTRAINT "signal_refusals_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "signal_refusals" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "signal_refusals" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "signal_refusals" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "signal_refusals" TO drawbridge_across USING (true);
CREATE POLICY owner ON "signal_refusals" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "signal_refusals" TO drawbridge_tenant;
GRANT SELECT ON "signal_refusals" TO drawbridge_across;

-- How much is kept of what was said of nobody, for each connection: whether there is room is one row, and not the counting of fifty thousand.
CREATE TABLE "unmatched_signal_counts" (
  "tenant_id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "kept" INTEGER NOT NULL,
  CONSTRAINT "unmatched_signal_counts_pkey" PRIMARY KEY ("tenant_id", "connection_id")
);
ALTER TABLE "unmatched_signal_counts" ADD CONSTRAINT "unmatched_signal_counts_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "unmatched_signal_counts" ADD CONSTRAINT "unmatched_signal_counts_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
ALTER TABLE "unmatched_signal_counts" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "unmatched_signal_counts" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "unmatched_signal_counts" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY across ON "unmatched_signal_counts" TO drawbridge_across USING (true);
CREATE POLICY owner ON "unmatched_signal_counts" TO CURRENT_USER USING (true);
GRANT SELECT ON "unmatched_signal_counts" TO drawbridge_tenant;
GRANT SELECT ON "unmatched_signal_counts" TO drawbridge_across;

-- Nobody writes a count but these, whichever version of ours, or sweep, or cascade, writes the rows. As their owner: who may write rows may not write
-- counts. Counts of several connections are locked in one order.
CREATE FUNCTION count_unmatched_kept() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  INSERT INTO unmatched_signal_counts AS c (tenant_id, connection_id, kept)
    SELECT tenant_id, connection_id, count(*) FROM made GROUP BY tenant_id, connection_id ORDER BY tenant_id, connection_id
    ON CONFLICT (tenant_id, connection_id) DO UPDATE SET kept = c.kept + EXCLUDED.kept;
  RETURN NULL;
END
$$;
CREATE FUNCTION count_unmatched_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  UPDATE unmatched_signal_counts SET kept = kept - held.gone
    FROM (SELECT c.tenant_id, c.connection_id, each.gone
            FROM unmatched_signal_counts c JOIN (SELECT tenant_id, connection_id, count(*) AS gone FROM lost GROUP BY tenant_id, connection_id) each
              ON each.tenant_id = c.tenant_id AND each.connection_id = c.connection_id
           ORDER BY c.tenant_id, c.connection_id FOR NO KEY UPDATE OF c) held
    WHERE unmatched_signal_counts.tenant_id = held.tenant_id AND unmatched_signal_counts.connection_id = held.connection_id;
  RETURN NULL;
END
$$;
LOCK TABLE "unmatched_signals" IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO "unmatched_signal_counts" SELECT tenant_id, connection_id, count(*) FROM "unmatched_signals" GROUP BY tenant_id, connection_id;
CREATE TRIGGER unmatched_kept AFTER INSERT ON "unmatched_signals" REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION count_unmatched_kept();
CREATE TRIGGER unmatched_gone AFTER DELETE ON "unmatched_signals" REFERENCING OLD TABLE AS lost
  FOR EACH STATEMENT EXECUTE FUNCTION count_unmatched_gone();

-- What gives way first, and whom a connection has kept out for longest; and what an admin looks through, newest first.
CREATE INDEX "unmatched_signals_giving_way_idx" ON "unmatched_signals" ("tenant_id", "connection_id", "deactivates", "said_at", "id");
CREATE INDEX "unmatched_signals_tenant_id_said_at_id_idx" ON "unmatched_signals" ("tenant_id", "said_at", "id");
