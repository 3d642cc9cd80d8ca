-- The time of a copy's barrier never goes back: whoever ended it at its tenant may have done so by a clock that is ahead of the one that now ends it at the front. What
-- is told says the later of them. The copies are held before they are looked at, so nobody raises one meanwhile. The rest is as in 0183.
CREATE OR REPLACE FUNCTION follow_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  copying uuid[];
  telling uuid[];
  following text;
  said text;
  -- One that describes itself is read from its document by every tenant for itself.
  speaks boolean := NEW.kind <> 'metadata_document' AND to_jsonb(NEW) - kept_by_front_clients() IS DISTINCT FROM to_jsonb(OLD) - kept_by_front_clients();
BEGIN
  IF NOT speaks AND NEW.epoch = OLD.epoch AND NEW.blocked_at IS NOT DISTINCT FROM OLD.blocked_at THEN
    RETURN NULL;
  END IF;
  IF NOT EXISTS (SELECT 1 FROM issuers WHERE tenant_id = NEW.tenant_id AND id = NEW.issuer_id AND kind = 'front') THEN
    RETURN NULL;
  END IF;
  SELECT array_agg(c.tenant_id) INTO copying FROM issuers AS i JOIN clients AS c ON c.tenant_id = i.tenant_id AND c.issuer_id = i.id
    WHERE i.kind = 'front_member' AND c.client_id = NEW.client_id;
  IF copying IS NULL THEN
    RETURN NULL;
  END IF;
  -- Held in one order, whoever else changes several of them. A client of several issuers of a tenant is one to whoever kills it: as in store/deprovisioning.
  PERFORM 1 FROM issuers AS i JOIN clients AS c ON c.tenant_id = i.tenant_id AND c.issuer_id = i.id
    WHERE i.tenant_id = ANY (copying) AND c.client_id = NEW.client_id AND (i.kind = 'front_member' OR NEW.epoch > OLD.epoch)
    ORDER BY c.tenant_id, c.issuer_id FOR UPDATE OF c;
  IF speaks THEN
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum),
        string_agg(format(CASE WHEN attname = 'unregistered_at' THEN 'coalesce(c.%1$I, ($1).%1$I)' ELSE '($1).%I' END, attname), ', ' ORDER BY attnum) INTO following, said
      FROM pg_attribute WHERE attrelid = 'clients'::regclass AND attnum > 0 AND NOT attisdropped AND attname::text <> ALL (kept_by_front_clients());
    EXECUTE format('UPDATE clients AS c SET (%1$s) = ROW(%2$s) FROM issuers AS i
      WHERE i.kind = ''front_member'' AND c.tenant_id = i.tenant_id AND c.issuer_id = i.id AND c.client_id = ($1).client_id', following, said) USING NEW;
  END IF;
  -- What counts of a block the trigger of 0162 finds.
  IF NEW.epoch > OLD.epoch THEN
    telling := copying;
    -- Whoever opens a grant holds its client or finds another version of it, so all there are stand here. Also what makes room for other registrations is nobody's kill.
    IF NEW.kind = 'dynamic' AND coalesce(nullif(current_setting('drawbridge.ended_by', true), ''), 'registration') = 'registration' THEN
      telling := ARRAY(SELECT c.tenant_id FROM issuers AS i JOIN clients AS c ON c.tenant_id = i.tenant_id AND c.issuer_id = i.id
          CROSS JOIN LATERAL (SELECT 1 FROM grants AS g WHERE g.tenant_id = c.tenant_id AND g.issuer_id = c.issuer_id AND g.client_id = c.client_id
            AND g.client_epoch >= c.epoch ORDER BY g.client_epoch LIMIT 1) AS held
        WHERE i.tenant_id = ANY (copying) AND c.client_id = NEW.client_id);
    END IF;
    WITH known AS (
      SELECT c.tenant_id, max(c.epoch) AS epoch, GREATEST(max(c.barrier_at), NEW.barrier_at) AS barrier_at FROM issuers AS i JOIN clients AS c ON c.tenant_id = i.tenant_id AND c.issuer_id = i.id
        WHERE i.tenant_id = ANY (copying) AND c.client_id = NEW.client_id GROUP BY c.tenant_id),
    hit AS (
      UPDATE clients AS c SET epoch = known.epoch + 1, barrier_at = known.barrier_at,
          blocked_at_front = CASE WHEN i.kind = 'front_member' THEN NEW.blocked_at END,
          pre_approved = c.pre_approved AND (i.kind <> 'front_member' OR NEW.document_digests IS NOT DISTINCT FROM OLD.document_digests)
        FROM known JOIN issuers AS i ON i.tenant_id = known.tenant_id
        WHERE c.tenant_id = i.tenant_id AND c.issuer_id = i.id AND c.client_id = NEW.client_id RETURNING c.tenant_id, c.issuer_id, c.epoch, c.barrier_at, i.kind),
    ended AS MATERIALIZED (
      SELECT tenant_id, issuer_id, epoch, barrier_at, gen_random_uuid() AS event FROM hit
        WHERE kind = 'front_member' AND tenant_id = ANY (telling)),
    told AS (
      INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at)
        SELECT tenant_id, event, 'registration', 'client', NEW.client_id, 'front_client_ended', true, NEW.barrier_at, barrier_at FROM ended),
    audited AS (
      INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, reason, detail)
        SELECT tenant_id, NEW.barrier_at, 'client.deprovisioned', issuer_id, NEW.client_id, '{}', 'front_client_ended',
          jsonb_build_object('eventId', event::text, 'source', 'registration', 'matched', true, 'epoch', epoch, 'deactivated', NEW.blocked_at IS NOT NULL) FROM ended)
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
      SELECT tenant_id, 'revoke', jsonb_build_object('eventId', event::text, 'target', 'client', 'targetId', NEW.client_id, 'epoch', epoch,
        'deactivated', NEW.blocked_at IS NOT NULL), NEW.barrier_at FROM ended;
    PERFORM pg_notify('drawbridge_outbox', each::text) FROM unnest(telling) AS each;
  ELSIF NEW.blocked_at IS DISTINCT FROM OLD.blocked_at OR NEW.document_digests IS DISTINCT FROM OLD.document_digests THEN
    UPDATE clients AS c SET blocked_at_front = NEW.blocked_at, pre_approved = c.pre_approved AND NEW.document_digests IS NOT DISTINCT FROM OLD.document_digests
      FROM issuers AS i WHERE i.kind = 'front_member' AND c.tenant_id = i.tenant_id AND c.issuer_id = i.id AND c.client_id = NEW.client_id;
  END IF;
  RETURN NULL;
END
$$;
