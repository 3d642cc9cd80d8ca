-- Who registers himself at the front is told nothing of what the tenants want that will use him. So a tenant that wants clients to know people by a sub of their
-- own makes its copy such a one, of a sector that it shares with nobody, as it becomes known there; and such a copy stays so, whatever the registration says
-- and the tenant wants later. docs/adr/0082
CREATE FUNCTION keep_subject_type_of_tenant() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  own text := 'client:' || NEW.client_id;
  wanted boolean;
BEGIN
  SELECT t.pairwise_by_default INTO wanted FROM tenants AS t JOIN issuers AS i ON i.tenant_id = t.id
    WHERE t.id = NEW.tenant_id AND i.id = NEW.issuer_id AND i.kind = 'front_member';
  -- NULL: of no member of the front.
  IF wanted IS NOT NULL AND (CASE TG_OP WHEN 'INSERT' THEN wanted ELSE OLD.sector_identifier IS NOT NULL AND (wanted OR OLD.sector_identifier = own) END) THEN
    NEW.sector_identifier := own;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER front_subject_type_kept BEFORE INSERT OR UPDATE OF sector_identifier ON "clients" FOR EACH ROW
  WHEN (NEW.kind = 'dynamic' AND NEW.sector_identifier IS NULL) EXECUTE FUNCTION keep_subject_type_of_tenant();
