-- Apart from the column, because whoever writes a group may hold its connection already: each would wait for the other.
CREATE FUNCTION count_scim_groups() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    UPDATE connections SET scim_groups = scim_groups + 1 WHERE tenant_id = NEW.tenant_id AND id = NEW.connection_id;
  ELSE
    UPDATE connections SET scim_groups = scim_groups - 1 WHERE tenant_id = NEW.tenant_id AND id = NEW.connection_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER scim_groups_made AFTER INSERT ON "scim_groups" FOR EACH ROW WHEN (NEW.deleted_at IS NULL) EXECUTE FUNCTION count_scim_groups();
CREATE TRIGGER scim_groups_gone AFTER UPDATE OF deleted_at ON "scim_groups" FOR EACH ROW
  WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL) EXECUTE FUNCTION count_scim_groups();
