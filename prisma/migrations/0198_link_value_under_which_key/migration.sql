-- Under which link key the link value was recorded: another key declared since, it says nothing of whom a login would be refused as, though it stays a tombstone. Null: nobody knows, as
-- of all who have not signed in since.
ALTER TABLE "subjects" ADD COLUMN "link_key" TEXT;

DROP FUNCTION people_of_link_value(uuid, text, integer);
CREATE FUNCTION people_of_link_value(connection uuid, key text, value text, most integer) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id FROM subjects AS s
  WHERE link_value_key(s.connection_id, s.link_value) = link_value_key(connection, value) AND s.link_value IS NOT NULL
    AND (s.tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid) IS TRUE
    AND (s.connection_id = connection) IS TRUE AND (s.link_value = value) IS TRUE AND (s.link_key = key) IS TRUE AND s.scim_user_id IS NULL
  LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION people_of_link_value(uuid, text, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_of_link_value(uuid, text, text, integer) TO drawbridge_tenant;
