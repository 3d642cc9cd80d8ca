-- A client that the vendor blocks at the front is blocked in every copy that is there. One that is made in that moment, by somebody who looked before it,
-- was not: a document is fetched in between, as slowly as its host likes.
CREATE OR REPLACE FUNCTION bind_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  of_vendor record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front_member') THEN
    RETURN NEW;
  END IF;
  NEW.machine_access := coalesce(NEW.machine_access, '[]');
  IF TG_OP = 'INSERT' THEN
    -- Held, so that whoever changes it meanwhile finds this copy. A copy that is there already is held first by either.
    PERFORM 1 FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id
      WHERE front.kind = 'front' AND c.client_id = NEW.client_id FOR SHARE OF c;
  ELSE
    IF NEW.scope_ceiling IS DISTINCT FROM OLD.scope_ceiling AND NEW.own_scope_ceiling IS NOT DISTINCT FROM OLD.own_scope_ceiling THEN
      NEW.own_scope_ceiling := NEW.scope_ceiling;
    END IF;
    IF NEW.access_token_ttl_seconds IS DISTINCT FROM OLD.access_token_ttl_seconds
      AND NEW.own_access_token_ttl_seconds IS NOT DISTINCT FROM OLD.own_access_token_ttl_seconds THEN
      NEW.own_access_token_ttl_seconds := NEW.access_token_ttl_seconds;
    END IF;
  END IF;
  SELECT c.scope_ceiling, c.access_token_ttl_seconds, c.pre_approved AND c.unregistered_at IS NULL AS approved, c.document_digests - 'document' AS judged,
      c.blocked_at INTO of_vendor
    FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id WHERE front.kind = 'front' AND c.client_id = NEW.client_id;
  NEW.scope_ceiling := common_scope_ceiling(of_vendor.scope_ceiling, NEW.own_scope_ceiling);
  NEW.access_token_ttl_seconds := least(of_vendor.access_token_ttl_seconds, NEW.own_access_token_ttl_seconds);
  NEW.approved_at_front := coalesce(of_vendor.approved, false) AND of_vendor.judged IS NOT DISTINCT FROM NEW.document_digests - 'document';
  IF TG_OP = 'INSERT' THEN
    NEW.blocked_at := coalesce(NEW.blocked_at, of_vendor.blocked_at);
  END IF;
  RETURN NEW;
END
$$;
