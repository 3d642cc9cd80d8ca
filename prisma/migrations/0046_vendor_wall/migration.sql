-- The vendor's policy is a wall around every tenant's. It is a policy of the vendor's own tenant; when another one holds, every tenant's grants
-- were decided under what is no longer so. A tenant's version therefore rises without a document of its own: the one that holds is its newest.
CREATE FUNCTION raise_policy_version_everywhere() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  -- In one order, so that two who lock several tenants wait for each other and never both.
  UPDATE tenants SET policy_version = policy_version + 1
    FROM (SELECT id FROM tenants WHERE id <> NEW.id ORDER BY id FOR NO KEY UPDATE) AS held WHERE tenants.id = held.id;
  RETURN NULL;
END
$$;
CREATE TRIGGER wall_moved AFTER UPDATE OF policy_version ON tenants FOR EACH ROW
  WHEN (NEW.id = '00000000-0000-0000-0000-000000000000') EXECUTE FUNCTION raise_policy_version_everywhere();
