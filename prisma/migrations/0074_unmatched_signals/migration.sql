-- What a signal of an IdP said of somebody who was not here: it holds for whoever comes under that id later. One for each id of a connection.
CREATE TABLE "unmatched_signals" (
  "tenant_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "connection_id" UUID NOT NULL,
  "name" BYTEA NOT NULL,
  "stable_id" TEXT NOT NULL,
  "reason" TEXT NOT NULL,
  "deactivates" BOOLEAN NOT NULL,
  "said_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3),
  CONSTRAINT "unmatched_signals_pkey" PRIMARY KEY ("tenant_id", "id"),
  -- What keeps somebody out keeps her out until an admin says otherwise.
  CONSTRAINT "unmatched_signals_kept" CHECK ("deactivates" = ("expires_at" IS NULL))
);
ALTER TABLE "unmatched_signals" ADD CONSTRAINT "unmatched_signals_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants" ("id");
ALTER TABLE "unmatched_signals" ADD CONSTRAINT "unmatched_signals_connection_id_fkey" FOREIGN KEY ("tenant_id", "connection_id")
  REFERENCES "connections" ("tenant_id", "id") ON DELETE CASCADE;
CREATE UNIQUE INDEX "unmatched_signals_tenant_id_connection_id_name_key" ON "unmatched_signals" ("tenant_id", "connection_id", "name");
CREATE INDEX "unmatched_signals_name_idx" ON "unmatched_signals" ("name");
CREATE INDEX "unmatched_signals_expires_at_idx" ON "unmatched_signals" ("expires_at");
ALTER TABLE "unmatched_signals" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "unmatched_signals" FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_only ON "unmatched_signals" TO drawbridge_tenant USING (tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid);
CREATE POLICY hot ON "unmatched_signals" TO drawbridge_hot USING (true);
CREATE POLICY across ON "unmatched_signals" TO drawbridge_across USING (true);
CREATE POLICY owner ON "unmatched_signals" TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON "unmatched_signals" TO drawbridge_tenant;
GRANT SELECT ON "unmatched_signals" TO drawbridge_hot;
GRANT SELECT, DELETE ON "unmatched_signals" TO drawbridge_across;

-- Whoever is out, by the ids that the IdPs of her tenant could name her by again.
CREATE INDEX "subjects_gone_stable_id" ON "subjects" ("stable_id") WHERE "deactivated_at" IS NOT NULL OR "deactivates_at" IS NOT NULL;

-- How ids are looked for: one length, whatever an IdP writes.
CREATE FUNCTION unmatched_name(id text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN sha256(convert_to(id, 'UTF8'));

-- The place in which a signal about an id, and a login under it, are one before the other.
CREATE FUNCTION signal_lock(tenant uuid, connection uuid, id text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN hashtextextended('signal:' || tenant::text || connection::text || id, 0);

-- While a login is written: whoever is about to say something of her ids is waited for, and then it is looked at again. `seen`: what the verdict saw.
-- False: something was said since. A login of the version before does not wait; until every broker is of this one, a signal about an id that
-- nobody has, in the very moment of a first login over SAML, may be missed by it.
CREATE FUNCTION hold_signals(tenant uuid, connection uuid, stable_id text, link_value text, linked uuid, seen timestamptz) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public AS $$
DECLARE
  names text[] := ARRAY[stable_id, link_value, (SELECT external_id FROM scim_users AS u WHERE u.tenant_id = tenant AND u.id = linked)];
  one text;
BEGIN
  FOREACH one IN ARRAY names LOOP
    IF one IS NOT NULL THEN
      PERFORM pg_advisory_xact_lock_shared(signal_lock(tenant, connection, one));
    END IF;
  END LOOP;
  RETURN NOT EXISTS (SELECT 1 FROM unmatched_signals AS u
    WHERE u.tenant_id = tenant AND u.connection_id = connection AND u.name IN (SELECT unmatched_name(given) FROM unnest(names) AS given)
      AND (u.deactivates OR u.said_at > COALESCE(seen, '-infinity')));
END
$$;
