-- A revocation may name somebody by address who is not here yet: it holds for whoever comes with that address, as it does for an id (migration 0074). The
-- function with six arguments stays for processes of an earlier version.
CREATE FUNCTION hold_signals(tenant uuid, connection uuid, stable_id text, link_value text, linked uuid, email_key text, seen timestamptz) RETURNS boolean
  LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  names text[] := ARRAY[stable_id, link_value, (SELECT external_id FROM scim_users AS u WHERE u.tenant_id = tenant AND u.id = linked), 'mailto:' || email_key];
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
