-- Whom a login at another connection would refuse for a user who has left is found by the value of her link key there (docs/adr/0131). The function has the rights of the owner,
-- so that nothing but the index leads to anybody: the tenant, which row-level security reads, only judges what is found, as in `people_of_recorded_key` (0147).
CREATE INDEX "subjects_link_value_idx" ON "subjects" ("link_value");

CREATE FUNCTION people_of_link_value(connections uuid[], value text, most integer) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id FROM subjects AS s
  WHERE s.link_value = value AND (s.tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid) IS TRUE
    AND (s.connection_id = ANY (connections)) IS TRUE AND s.scim_user_id IS NULL
  LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION people_of_link_value(uuid[], text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_of_link_value(uuid[], text, integer) TO drawbridge_tenant;
