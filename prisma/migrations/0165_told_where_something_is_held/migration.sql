-- Whoever registers a client by himself may raise its barrier as often as he replaces the registration, without anybody having signed in: at every tenant that has
-- a copy that was an event, a line of the trail and a job, each time. The barrier rises as before; told is it where a grant of the client is on it or above
-- (docs/adr/0114). Grants are kept for weeks after their end, which is longer than any token of theirs lives. What the vendor registered is ended by the vendor, and told.

CREATE OR REPLACE FUNCTION follow_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  copy record;
  event uuid;
  following text;
  raised integer;
  holding uuid[];
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
  -- Held first: what opens a grant with a token at once holds its client, and its insert every other, so it is seen here or finds another version.
  IF NEW.epoch > OLD.epoch AND NEW.kind = 'dynamic' THEN
    PERFORM 1 FROM issuers AS i JOIN clients AS c ON c.tenant_id = i.tenant_id AND c.issuer_id = i.id
      WHERE c.client_id = NEW.client_id AND c.tenant_id <> NEW.tenant_id ORDER BY c.tenant_id, c.issuer_id FOR UPDATE OF c;
    holding := ARRAY(SELECT DISTINCT g.tenant_id FROM grants AS g
      JOIN clients AS c ON c.tenant_id = g.tenant_id AND c.issuer_id = g.issuer_id AND c.client_id = g.client_id
      WHERE g.client_id = NEW.client_id AND g.client_epoch >= c.epoch);
  END IF;
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
      -- A client of several issuers of a tenant is one to whoever kills it: as in store/deprovisioning.
      WITH hit AS (
        UPDATE clients AS c SET epoch = (SELECT max(epoch) + 1 FROM clients AS each WHERE each.tenant_id = copy.tenant_id AND each.client_id = NEW.client_id),
            barrier_at = NEW.barrier_at
          WHERE c.tenant_id = copy.tenant_id AND c.client_id = NEW.client_id RETURNING c.epoch)
      SELECT max(epoch) INTO raised FROM hit;
      IF NEW.kind <> 'dynamic' OR copy.tenant_id = ANY (holding) THEN
        event := gen_random_uuid();
        INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at)
          VALUES (copy.tenant_id, event, 'registration', 'client', NEW.client_id, 'front_client_ended', true, NEW.barrier_at, NEW.barrier_at);
        INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, reason, detail)
          VALUES (copy.tenant_id, NEW.barrier_at, 'client.deprovisioned', copy.issuer_id, NEW.client_id, '{}', 'front_client_ended',
            jsonb_build_object('eventId', event::text, 'source', 'registration', 'matched', true, 'epoch', raised, 'deactivated', NEW.blocked_at IS NOT NULL));
        INSERT INTO outbox (tenant_id, kind, payload, created_at)
          VALUES (copy.tenant_id, 'revoke', jsonb_build_object('eventId', event::text, 'target', 'client', 'targetId', NEW.client_id, 'epoch', raised,
            'deactivated', NEW.blocked_at IS NOT NULL), NEW.barrier_at);
        PERFORM pg_notify('drawbridge_outbox', copy.tenant_id::text);
      END IF;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

-- So that a statement which opens a grant and answers with its token in one may hold the client that it opens it for: to hold a row needs the right to change some column.
GRANT UPDATE ("last_used_at") ON "clients" TO drawbridge_hot;
