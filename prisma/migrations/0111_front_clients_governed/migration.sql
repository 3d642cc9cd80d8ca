-- What the vendor allows a client at the front binds every tenant's copy, also when it is said after the copy was made; a tenant allows less and never more.
-- So a copy keeps what its tenant said beside what counts. A version that knows nothing of the two columns writes what counts alone, and is understood.
ALTER TABLE "clients" ADD COLUMN "own_scope_ceiling" TEXT[], ADD COLUMN "own_access_token_ttl_seconds" INTEGER;

-- What both allow. No ceiling is an empty one, so what has nothing in common gets a name that no scope can have (RFC 6749 §3.3).
CREATE FUNCTION common_scope_ceiling(vendors text[], own text[]) RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT CASE
    WHEN coalesce(cardinality(own), 0) = 0 THEN coalesce(vendors, '{}')
    WHEN coalesce(cardinality(vendors), 0) = 0 THEN own
    ELSE coalesce((SELECT array_agg(scope ORDER BY nth) FROM unnest(own) WITH ORDINALITY AS said (scope, nth) WHERE scope = ANY (vendors)), ARRAY['"nothing"'])
  END
$$;

CREATE FUNCTION bind_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  of_vendor record;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front_member') THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF NEW.scope_ceiling IS DISTINCT FROM OLD.scope_ceiling AND NEW.own_scope_ceiling IS NOT DISTINCT FROM OLD.own_scope_ceiling THEN
      NEW.own_scope_ceiling := NEW.scope_ceiling;
    END IF;
    IF NEW.access_token_ttl_seconds IS DISTINCT FROM OLD.access_token_ttl_seconds
      AND NEW.own_access_token_ttl_seconds IS NOT DISTINCT FROM OLD.own_access_token_ttl_seconds THEN
      NEW.own_access_token_ttl_seconds := NEW.access_token_ttl_seconds;
    END IF;
  END IF;
  SELECT c.scope_ceiling, c.access_token_ttl_seconds INTO of_vendor FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id
    WHERE front.kind = 'front' AND c.client_id = NEW.client_id;
  NEW.scope_ceiling := common_scope_ceiling(of_vendor.scope_ceiling, NEW.own_scope_ceiling);
  NEW.access_token_ttl_seconds := least(of_vendor.access_token_ttl_seconds, NEW.own_access_token_ttl_seconds);
  RETURN NEW;
END
$$;
-- Nobody's hot path: no mark of a use is among them.
CREATE TRIGGER front_client_bound BEFORE INSERT OR UPDATE OF scope_ceiling, access_token_ttl_seconds, own_scope_ceiling, own_access_token_ttl_seconds ON "clients"
  FOR EACH ROW WHEN (NEW.tenant_id <> '00000000-0000-0000-0000-000000000000') EXECUTE FUNCTION bind_front_client();

CREATE OR REPLACE FUNCTION kept_by_front_clients() RETURNS text[] LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT ARRAY['tenant_id', 'issuer_id', 'client_id', 'kind', 'pre_approved', 'approved_digests', 'approval_lost', 'scope_ceiling', 'access_token_ttl_seconds',
    'own_scope_ceiling', 'own_access_token_ttl_seconds', 'registration_token_hash', 'epoch', 'barrier_at', 'blocked_at', 'document_expires_at', 'last_used_at',
    'secret_used_at', 'second_secret_used_at', 'version', 'created_at']
$$;

-- After the copies have got what the registration says, in the same commit.
CREATE FUNCTION bind_front_clients() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front') THEN
    PERFORM 1 FROM clients AS c JOIN issuers AS i ON i.tenant_id = c.tenant_id AND i.id = c.issuer_id
      WHERE c.client_id = NEW.client_id AND i.kind = 'front_member' ORDER BY c.tenant_id FOR UPDATE OF c;
    UPDATE clients AS c SET own_scope_ceiling = c.own_scope_ceiling FROM issuers AS i
      WHERE i.tenant_id = c.tenant_id AND i.id = c.issuer_id AND i.kind = 'front_member' AND c.client_id = NEW.client_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER front_clients_bound AFTER UPDATE OF scope_ceiling, access_token_ttl_seconds ON "clients" FOR EACH ROW
  WHEN (NEW.tenant_id = '00000000-0000-0000-0000-000000000000' AND (NEW.scope_ceiling, NEW.access_token_ttl_seconds)
    IS DISTINCT FROM (OLD.scope_ceiling, OLD.access_token_ttl_seconds)) EXECUTE FUNCTION bind_front_clients();

-- When a secret was last used stays with the secret, though the older one goes and the newer takes its place; and the vendor, who moves a client from one to
-- the other, sees of each when it was last used at any tenant.
CREATE FUNCTION keep_use_of_front_secrets() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front_member') THEN
    RETURN NEW;
  END IF;
  NEW.secret_used_at := CASE NEW.secret_hash WHEN OLD.secret_hash THEN OLD.secret_used_at WHEN OLD.second_secret_hash THEN OLD.second_secret_used_at END;
  NEW.second_secret_used_at := CASE NEW.second_secret_hash WHEN OLD.secret_hash THEN OLD.secret_used_at WHEN OLD.second_secret_hash THEN OLD.second_secret_used_at END;
  RETURN NEW;
END
$$;
-- The registration that a copy at a tenant is of. No row while somebody holds it: what is only noted there waits for nobody, and nobody who changes or kills the
-- client, and so holds the registration and wants its copies, is caught between them. The next note is as good.
CREATE FUNCTION front_client_unless_held(copying clients) RETURNS tid LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT c.ctid FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id AND front.kind = 'front'
    WHERE c.client_id = copying.client_id AND EXISTS (SELECT 1 FROM issuers AS member
      WHERE member.tenant_id = copying.tenant_id AND member.id = copying.issuer_id AND member.kind = 'front_member')
    FOR NO KEY UPDATE OF c SKIP LOCKED
$$;
CREATE OR REPLACE FUNCTION note_front_client_use() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE clients SET last_used_at = greatest(last_used_at, NEW.last_used_at) WHERE ctid = (SELECT front_client_unless_held(NEW));
  RETURN NULL;
END
$$;
CREATE FUNCTION note_use_of_front_secret() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE clients AS c SET
      secret_used_at = CASE c.secret_hash WHEN NEW.secret_hash THEN greatest(c.secret_used_at, NEW.secret_used_at)
        WHEN NEW.second_secret_hash THEN greatest(c.secret_used_at, NEW.second_secret_used_at) ELSE c.secret_used_at END,
      second_secret_used_at = CASE c.second_secret_hash WHEN NEW.secret_hash THEN greatest(c.second_secret_used_at, NEW.secret_used_at)
        WHEN NEW.second_secret_hash THEN greatest(c.second_secret_used_at, NEW.second_secret_used_at) ELSE c.second_secret_used_at END
    WHERE c.ctid = (SELECT front_client_unless_held(NEW));
  RETURN NULL;
END
$$;
CREATE TRIGGER use_of_front_secrets_kept BEFORE UPDATE OF secret_hash, second_secret_hash ON "clients" FOR EACH ROW
  WHEN (NEW.tenant_id <> '00000000-0000-0000-0000-000000000000' AND (NEW.secret_hash, NEW.second_secret_hash) IS DISTINCT FROM (OLD.secret_hash, OLD.second_secret_hash))
  EXECUTE FUNCTION keep_use_of_front_secrets();
CREATE TRIGGER front_secret_used AFTER UPDATE OF secret_used_at, second_secret_used_at ON "clients" FOR EACH ROW
  WHEN (NEW.tenant_id <> '00000000-0000-0000-0000-000000000000' AND (NEW.secret_used_at, NEW.second_secret_used_at)
    IS DISTINCT FROM (OLD.secret_used_at, OLD.second_secret_used_at)) EXECUTE FUNCTION note_use_of_front_secret();

-- What copies hold by now: what is otherwise than the vendor's was said by their tenants.
UPDATE clients AS c SET
    own_scope_ceiling = CASE WHEN c.scope_ceiling IS DISTINCT FROM vendors.scope_ceiling THEN c.scope_ceiling END,
    own_access_token_ttl_seconds = CASE WHEN c.access_token_ttl_seconds IS DISTINCT FROM vendors.access_token_ttl_seconds THEN c.access_token_ttl_seconds END
  FROM clients AS vendors, issuers AS front, issuers AS member
  WHERE front.kind = 'front' AND vendors.tenant_id = front.tenant_id AND vendors.issuer_id = front.id AND vendors.client_id = c.client_id
    AND member.kind = 'front_member' AND member.tenant_id = c.tenant_id AND member.id = c.issuer_id;
