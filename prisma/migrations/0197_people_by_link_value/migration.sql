-- Whom a login at another connection would refuse for a user who has left is found by the value of her link key there (docs/adr/0131). Rewritten before any release: it was an
-- index of the value itself, which an IdP may send longer than an index takes.

-- Of one length, and of one connection: a name that many companies know is found at one (as `recorded_key`, 0147).
CREATE FUNCTION link_value_key(connection uuid, value text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN substr(sha256(uuid_send(connection) || convert_to(value, 'UTF8')), 1, 8);

CREATE INDEX "subjects_link_value_key" ON "subjects" (link_value_key("connection_id", "link_value")) WHERE "link_value" IS NOT NULL;

-- The function has the rights of the owner, so that nothing but the index leads to anybody: what is found is compared word by word, and the tenant, which row-level security reads,
-- only judges it.
CREATE FUNCTION people_of_link_value(connection uuid, value text, most integer) RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT s.id FROM subjects AS s
  WHERE link_value_key(s.connection_id, s.link_value) = link_value_key(connection, value) AND s.link_value IS NOT NULL
    AND (s.tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid) IS TRUE
    AND (s.connection_id = connection) IS TRUE AND (s.link_value = value) IS TRUE AND s.scim_user_id IS NULL
  LIMIT most
$$;
REVOKE EXECUTE ON FUNCTION people_of_link_value(uuid, text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION people_of_link_value(uuid, text, integer) TO drawbridge_tenant;
