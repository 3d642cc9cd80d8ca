-- The front issuer is one address for every tenant. At it each tenant is a member, an issuer of its own with the front's URL: so every row that begins
-- with (tenant_id, issuer_id) keeps its tenant, its foreign keys and its row-level security. Nothing here happens until the vendor makes the front issuer.
ALTER TABLE "issuers" DROP CONSTRAINT "issuers_kind_check";
ALTER TABLE "issuers" ADD CONSTRAINT "issuers_kind_check" CHECK ("kind" IN ('tenant', 'front', 'front_member'));
ALTER TABLE "issuers" ADD CONSTRAINT "issuers_front_owner_check" CHECK (("kind" = 'front') = ("tenant_id" = '00000000-0000-0000-0000-000000000000'));
DROP INDEX "issuers_url_key";
CREATE UNIQUE INDEX "issuers_url_of_one" ON "issuers" ("url") WHERE "kind" <> 'front_member';
CREATE UNIQUE INDEX "issuers_one_front" ON "issuers" ("kind") WHERE "kind" = 'front';
CREATE UNIQUE INDEX "issuers_one_membership" ON "issuers" ("tenant_id") WHERE "kind" = 'front_member';

ALTER TABLE "authorization_requests" DROP CONSTRAINT "authorization_requests_step_check";
ALTER TABLE "authorization_requests" ADD CONSTRAINT "authorization_requests_step_check"
  CHECK ("step" IN ('choose_tenant', 'choose_connection', 'client_notice', 'login', 'second_factor', 'consent', 'answered'));

-- Whoever becomes a tenant, or makes the front, or shares a resource with it, waits for the others: no tenant misses a resource, and no resource a tenant.
CREATE FUNCTION join_front() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('drawbridge front members', 0));
  IF NEW.kind = 'front_member' THEN
    IF NOT EXISTS (SELECT 1 FROM issuers AS front WHERE front.kind = 'front' AND front.url = NEW.url) THEN
      RAISE EXCEPTION 'a member of the front issuer has its URL' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id)
      SELECT m.tenant_id, m.resource_id, NEW.tenant_id, NEW.id FROM resource_issuers AS m
        JOIN issuers AS front ON front.tenant_id = m.issuer_tenant_id AND front.id = m.issuer_id WHERE front.kind = 'front' ON CONFLICT DO NOTHING;
  ELSE
    INSERT INTO issuers (tenant_id, id, url, kind, created_at)
      SELECT own.tenant_id, gen_random_uuid(), front.url, 'front_member', NEW.created_at FROM issuers AS front, issuers AS own
        WHERE front.kind = 'front' AND own.kind = 'tenant' AND (NEW.kind = 'front' OR own.tenant_id = NEW.tenant_id) ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER front_joined AFTER INSERT ON "issuers" FOR EACH ROW EXECUTE FUNCTION join_front();

-- What the front may mint for, each of its members may. It is taken away member by member, with what was granted there.
CREATE FUNCTION share_with_front_members() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.issuer_tenant_id AND id = NEW.issuer_id AND kind = 'front') THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('drawbridge front members', 0));
    INSERT INTO resource_issuers (tenant_id, resource_id, issuer_tenant_id, issuer_id)
      SELECT NEW.tenant_id, NEW.resource_id, tenant_id, id FROM issuers WHERE kind = 'front_member' ON CONFLICT DO NOTHING;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER shared_with_front AFTER INSERT ON "resource_issuers" FOR EACH ROW EXECUTE FUNCTION share_with_front_members();

-- The front's keys sign for every member, so they are configuration of every tenant.
CREATE FUNCTION raise_front_configuration_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  changed record;
  member uuid;
BEGIN
  IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
  IF changed.tenant_id = '00000000-0000-0000-0000-000000000000' THEN
    FOR member IN SELECT tenant_id FROM issuers WHERE kind = 'front_member' ORDER BY tenant_id LOOP
      UPDATE tenants SET configuration_version = configuration_version + 1 WHERE id = member;
      PERFORM pg_notify('drawbridge_changes', member::text);
    END LOOP;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER front_configuration_changed AFTER INSERT OR UPDATE OR DELETE ON "signing_keys" FOR EACH ROW EXECUTE FUNCTION raise_front_configuration_version();

-- A client that registered at the front is the vendor's row. A tenant at which somebody begins to use it gets a copy of its own, to which grants, codes and
-- that tenant's say refer. The copy has no registration access token: its owner manages the one registration, and every copy follows.
--
-- What follows is every column but these: so whatever a later version lets a client say of itself follows, too.
CREATE FUNCTION kept_by_front_clients() RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
  SELECT ARRAY['tenant_id', 'issuer_id', 'client_id', 'kind', 'pre_approved', 'approved_digests', 'approval_lost', 'scope_ceiling', 'access_token_ttl_seconds',
    'registration_token_hash', 'epoch', 'barrier_at', 'blocked_at', 'document_expires_at', 'last_used_at', 'secret_used_at', 'second_secret_used_at', 'version',
    'created_at']
$$;

CREATE FUNCTION adopt_front_client(adopting uuid, wanted text, at timestamptz) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF adopting IS DISTINCT FROM NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid THEN
    RAISE EXCEPTION 'a tenant adopts for itself alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  -- Held, so that whoever changes or ends the registration meanwhile finds this copy.
  PERFORM 1 FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id
    WHERE front.kind = 'front' AND c.client_id = wanted FOR SHARE OF c;
  INSERT INTO clients SELECT made.*
    FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id AND front.kind = 'front'
      JOIN issuers AS member ON member.tenant_id = adopting AND member.kind = 'front_member'
      CROSS JOIN LATERAL jsonb_populate_record(NULL::clients, to_jsonb(c)
        - ARRAY['registration_token_hash', 'approved_digests', 'approval_lost', 'last_used_at', 'secret_used_at', 'second_secret_used_at']
        || jsonb_build_object('tenant_id', member.tenant_id, 'issuer_id', member.id, 'pre_approved', false, 'epoch', 1, 'barrier_at', NULL,
          'version', nextval('clients_version_seq'), 'created_at', at)) AS made
    WHERE c.client_id = wanted AND c.kind IN ('dynamic', 'preregistered') AND c.blocked_at IS NULL AND c.unregistered_at IS NULL
    ON CONFLICT DO NOTHING;
  RETURN EXISTS (SELECT 1 FROM clients AS c JOIN issuers AS member ON member.tenant_id = c.tenant_id AND member.id = c.issuer_id
    WHERE c.tenant_id = adopting AND c.client_id = wanted AND member.kind = 'front_member');
END
$$;
REVOKE EXECUTE ON FUNCTION adopt_front_client(uuid, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION adopt_front_client(uuid, text, timestamptz) TO drawbridge_tenant;

-- Every copy follows in the commit of the change, and what the vendor or the registration's owner kills dies at every tenant, with the news to every guard.
CREATE FUNCTION follow_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  copy record;
  event uuid;
  following text;
  -- One that describes itself is read from its document by every tenant for itself.
  speaks boolean := NEW.kind <> 'metadata_document' AND to_jsonb(NEW) - kept_by_front_clients() IS DISTINCT FROM to_jsonb(OLD) - kept_by_front_clients();
BEGIN
  IF NOT speaks AND NEW.epoch = OLD.epoch AND NEW.blocked_at IS NOT DISTINCT FROM OLD.blocked_at THEN
    RETURN NULL;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front') THEN
    RETURN NULL;
  END IF;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO following FROM pg_attribute
    WHERE attrelid = 'clients'::regclass AND attnum > 0 AND NOT attisdropped AND attname::text <> ALL (kept_by_front_clients());
  FOR copy IN SELECT c.tenant_id, c.issuer_id FROM clients AS c JOIN issuers AS i ON i.tenant_id = c.tenant_id AND i.id = c.issuer_id
      WHERE c.client_id = NEW.client_id AND i.kind = 'front_member' ORDER BY c.tenant_id LOOP
    UPDATE clients AS c SET
        blocked_at = CASE WHEN NEW.blocked_at IS NOT NULL AND OLD.blocked_at IS NULL THEN coalesce(c.blocked_at, NEW.blocked_at)
          WHEN NEW.blocked_at IS NULL AND c.blocked_at = OLD.blocked_at THEN NULL ELSE c.blocked_at END,
        pre_approved = c.pre_approved AND NEW.document_digests IS NOT DISTINCT FROM OLD.document_digests
      WHERE c.tenant_id = copy.tenant_id AND c.issuer_id = copy.issuer_id AND c.client_id = NEW.client_id;
    IF speaks THEN
      EXECUTE format('UPDATE clients AS c SET (%1$s) = ROW(%2$s) WHERE c.tenant_id = $2 AND c.issuer_id = $3 AND c.client_id = ($1).client_id', following,
        regexp_replace(following, '([^ ,]+)', '($1).\1', 'g')) USING NEW, copy.tenant_id, copy.issuer_id;
    END IF;
    IF NEW.epoch > OLD.epoch THEN
      event := gen_random_uuid();
      -- A client of several issuers of a tenant is one to whoever kills it: as in store/deprovisioning.
      WITH hit AS (
        UPDATE clients AS c SET epoch = (SELECT max(epoch) + 1 FROM clients AS each WHERE each.tenant_id = copy.tenant_id AND each.client_id = NEW.client_id),
            barrier_at = NEW.barrier_at
          WHERE c.tenant_id = copy.tenant_id AND c.client_id = NEW.client_id RETURNING c.epoch),
      barrier AS (SELECT max(epoch) AS epoch FROM hit),
      told AS (
        INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at)
          VALUES (copy.tenant_id, event, 'registration', 'client', NEW.client_id, 'front_client_ended', true, NEW.barrier_at, NEW.barrier_at)),
      audited AS (
        INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, reason, detail)
          SELECT copy.tenant_id, NEW.barrier_at, 'client.deprovisioned', copy.issuer_id, NEW.client_id, '{}', 'front_client_ended',
            jsonb_build_object('eventId', event::text, 'source', 'registration', 'matched', true, 'epoch', epoch, 'deactivated', NEW.blocked_at IS NOT NULL) FROM barrier)
      INSERT INTO outbox (tenant_id, kind, payload, created_at)
        SELECT copy.tenant_id, 'revoke', jsonb_build_object('eventId', event::text, 'target', 'client', 'targetId', NEW.client_id, 'epoch', epoch,
          'deactivated', NEW.blocked_at IS NOT NULL), NEW.barrier_at FROM barrier;
      PERFORM pg_notify('drawbridge_outbox', copy.tenant_id::text);
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;
CREATE TRIGGER front_client_followed AFTER UPDATE ON "clients" FOR EACH ROW
  WHEN (NEW.tenant_id = '00000000-0000-0000-0000-000000000000')
  EXECUTE FUNCTION follow_front_client();

-- A registration at the front is used by whoever uses one of its copies: it is not idle, and makes no room.
CREATE FUNCTION note_front_client_use() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  UPDATE clients AS c SET last_used_at = greatest(c.last_used_at, NEW.last_used_at) FROM issuers AS front, issuers AS member
    WHERE front.kind = 'front' AND c.tenant_id = front.tenant_id AND c.issuer_id = front.id AND c.client_id = NEW.client_id
      AND member.tenant_id = NEW.tenant_id AND member.id = NEW.issuer_id AND member.kind = 'front_member';
  RETURN NULL;
END
$$;
CREATE TRIGGER front_client_used AFTER UPDATE OF last_used_at ON "clients" FOR EACH ROW
  WHEN (NEW.kind = 'dynamic' AND NEW.tenant_id <> '00000000-0000-0000-0000-000000000000') EXECUTE FUNCTION note_front_client_use();
