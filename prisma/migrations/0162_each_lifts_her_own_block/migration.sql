-- Whom the vendor shuts out at the front is shut at every tenant until the vendor lifts it, and whom a tenant shuts out until that tenant does (docs/adr/0112).
-- Of a copy: blocked_at_front is the vendor's, own_blocked_at the tenant's, and blocked_at is what counts, the earlier of them.
--
-- Nobody writes a client until this is through, so that no word is lost between what was said before and what counts from here on. Readers go on.
LOCK TABLE "clients" IN SHARE ROW EXCLUSIVE MODE;

-- What was killed at the tenant's own issuer, or by the vendor at the front, is killed where the tenant meets it afterwards (0108). At the front that is its own word.
CREATE OR REPLACE FUNCTION be_one_client_of_tenant() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  killed record;
BEGIN
  -- Whoever is killing it at this moment is waited for, and then seen.
  PERFORM 1 FROM clients AS c WHERE c.tenant_id = NEW.tenant_id AND c.client_id = NEW.client_id FOR SHARE;
  SELECT max(c.epoch) AS epoch, min(c.blocked_at) FILTER (WHERE c.barrier_at IS NOT NULL) AS blocked_at INTO killed
    FROM clients AS c WHERE c.tenant_id = NEW.tenant_id AND c.client_id = NEW.client_id;
  NEW.epoch := greatest(NEW.epoch, killed.epoch);
  NEW.own_blocked_at := coalesce(NEW.own_blocked_at, killed.blocked_at);
  NEW.blocked_at := coalesce(NEW.blocked_at, killed.blocked_at);
  RETURN NEW;
END
$$;

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
    NEW.own_blocked_at := coalesce(NEW.own_blocked_at, NEW.blocked_at);
  ELSE
    -- A version that knows nothing of the columns for what the tenant says writes what counts alone, and is understood.
    IF NEW.scope_ceiling IS DISTINCT FROM OLD.scope_ceiling AND NEW.own_scope_ceiling IS NOT DISTINCT FROM OLD.own_scope_ceiling THEN
      NEW.own_scope_ceiling := NEW.scope_ceiling;
    END IF;
    IF NEW.access_token_ttl_seconds IS DISTINCT FROM OLD.access_token_ttl_seconds
      AND NEW.own_access_token_ttl_seconds IS NOT DISTINCT FROM OLD.own_access_token_ttl_seconds THEN
      NEW.own_access_token_ttl_seconds := NEW.access_token_ttl_seconds;
    END IF;
    IF NEW.blocked_at IS DISTINCT FROM OLD.blocked_at AND NEW.own_blocked_at IS NOT DISTINCT FROM OLD.own_blocked_at THEN
      NEW.own_blocked_at := NEW.blocked_at;
    END IF;
  END IF;
  SELECT c.scope_ceiling, c.access_token_ttl_seconds, c.pre_approved AND c.unregistered_at IS NULL AS approved, c.document_digests - 'document' AS judged,
      c.blocked_at INTO of_vendor
    FROM clients AS c JOIN issuers AS front ON front.tenant_id = c.tenant_id AND front.id = c.issuer_id WHERE front.kind = 'front' AND c.client_id = NEW.client_id;
  NEW.scope_ceiling := common_scope_ceiling(of_vendor.scope_ceiling, NEW.own_scope_ceiling);
  NEW.access_token_ttl_seconds := least(of_vendor.access_token_ttl_seconds, NEW.own_access_token_ttl_seconds);
  NEW.approved_at_front := coalesce(of_vendor.approved, false) AND of_vendor.judged IS NOT DISTINCT FROM NEW.document_digests - 'document';
  NEW.blocked_at_front := of_vendor.blocked_at;
  -- The earlier of the two, or the one that there is.
  NEW.blocked_at := least(NEW.blocked_at_front, NEW.own_blocked_at);
  RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER front_client_bound
  BEFORE INSERT OR UPDATE OF scope_ceiling, access_token_ttl_seconds, own_scope_ceiling, own_access_token_ttl_seconds, document_digests, approved_at_front,
    blocked_at, own_blocked_at, blocked_at_front ON "clients"
  FOR EACH ROW WHEN (NEW.tenant_id <> '00000000-0000-0000-0000-000000000000') EXECUTE FUNCTION bind_front_client();

-- Every copy follows in the commit of the change, and what the vendor or the registration's owner kills dies at every tenant, with the news to every guard.
-- All tenants in a few statements: ten thousand of them one by one took longer than a statement may (docs/adr/0112).
CREATE OR REPLACE FUNCTION follow_front_client() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  copying uuid[];
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
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO following FROM pg_attribute
      WHERE attrelid = 'clients'::regclass AND attnum > 0 AND NOT attisdropped AND attname::text <> ALL (kept_by_front_clients());
    EXECUTE format('UPDATE clients AS c SET (%1$s) = ROW(%2$s) FROM issuers AS i
      WHERE i.kind = ''front_member'' AND c.tenant_id = i.tenant_id AND c.issuer_id = i.id AND c.client_id = ($1).client_id', following,
      regexp_replace(following, '([^ ,]+)', '($1).\1', 'g')) USING NEW;
  END IF;
  -- What counts of a block the trigger above finds.
  IF NEW.epoch > OLD.epoch THEN
    WITH known AS (
      SELECT c.tenant_id, max(c.epoch) AS epoch FROM issuers AS i JOIN clients AS c ON c.tenant_id = i.tenant_id AND c.issuer_id = i.id
        WHERE i.tenant_id = ANY (copying) AND c.client_id = NEW.client_id GROUP BY c.tenant_id),
    hit AS (
      UPDATE clients AS c SET epoch = known.epoch + 1, barrier_at = NEW.barrier_at,
          blocked_at_front = CASE WHEN i.kind = 'front_member' THEN NEW.blocked_at END,
          pre_approved = c.pre_approved AND (i.kind <> 'front_member' OR NEW.document_digests IS NOT DISTINCT FROM OLD.document_digests)
        FROM known JOIN issuers AS i ON i.tenant_id = known.tenant_id
        WHERE c.tenant_id = i.tenant_id AND c.issuer_id = i.id AND c.client_id = NEW.client_id RETURNING c.tenant_id, c.issuer_id, c.epoch, i.kind),
    ended AS MATERIALIZED (
      SELECT tenant_id, issuer_id, epoch, gen_random_uuid() AS event FROM hit WHERE kind = 'front_member'),
    told AS (
      INSERT INTO deprovisioning_events (tenant_id, id, source, target, target_id, reason, matched, received_at, barrier_at)
        SELECT tenant_id, event, 'registration', 'client', NEW.client_id, 'front_client_ended', true, NEW.barrier_at, NEW.barrier_at FROM ended),
    audited AS (
      INSERT INTO audit_events (tenant_id, at, kind, issuer_id, client_id, scopes, reason, detail)
        SELECT tenant_id, NEW.barrier_at, 'client.deprovisioned', issuer_id, NEW.client_id, '{}', 'front_client_ended',
          jsonb_build_object('eventId', event::text, 'source', 'registration', 'matched', true, 'epoch', epoch, 'deactivated', NEW.blocked_at IS NOT NULL) FROM ended)
    INSERT INTO outbox (tenant_id, kind, payload, created_at)
      SELECT tenant_id, 'revoke', jsonb_build_object('eventId', event::text, 'target', 'client', 'targetId', NEW.client_id, 'epoch', epoch,
        'deactivated', NEW.blocked_at IS NOT NULL), NEW.barrier_at FROM ended;
    PERFORM pg_notify('drawbridge_outbox', each::text) FROM unnest(copying) AS each;
  ELSIF NEW.blocked_at IS DISTINCT FROM OLD.blocked_at OR NEW.document_digests IS DISTINCT FROM OLD.document_digests THEN
    UPDATE clients AS c SET blocked_at_front = NEW.blocked_at, pre_approved = c.pre_approved AND NEW.document_digests IS NOT DISTINCT FROM OLD.document_digests
      FROM issuers AS i WHERE i.kind = 'front_member' AND c.tenant_id = i.tenant_id AND c.issuer_id = i.id AND c.client_id = NEW.client_id;
  END IF;
  RETURN NULL;
END
$$;

-- What is said by now. A copy that is shut while its registration is not, or since another time, its tenant has shut. One that has the vendor's time the tenant
-- may have shut, too: the trail says so where it goes back so far, and where it does not, whoever is shut stays so. One that a tenant had opened although the vendor shut it
-- is shut again.
WITH shut AS MATERIALIZED (
  SELECT c."tenant_id", c."issuer_id", c."client_id", c."blocked_at", vendors."blocked_at" AS vendors_blocked_at FROM "issuers" AS member
    JOIN "clients" AS c ON c."tenant_id" = member."tenant_id" AND c."issuer_id" = member."id"
    LEFT JOIN "issuers" AS front ON front."kind" = 'front'
    LEFT JOIN "clients" AS vendors ON vendors."tenant_id" = front."tenant_id" AND vendors."issuer_id" = front."id" AND vendors."client_id" = c."client_id"
   WHERE member."kind" = 'front_member' AND (c."blocked_at" IS NOT NULL OR vendors."blocked_at" IS NOT NULL)
), unsure AS MATERIALIZED (
  SELECT * FROM shut WHERE "blocked_at" = vendors_blocked_at
), own AS (
  SELECT DISTINCT u."tenant_id", u."client_id" FROM unsure AS u JOIN "audit_events" AS a
      ON a."tenant_id" = u."tenant_id" AND a."client_id" = u."client_id" AND a."at" >= u."blocked_at"
   WHERE (a."kind" = 'client.deprovisioned' AND a."detail" ->> 'deactivated' = 'true' AND a."detail" ->> 'source' <> 'registration')
      OR (a."kind" = 'client.governed' AND a."detail" ->> 'blocked' = 'true')
), known AS (
  SELECT u."tenant_id", u."client_id" FROM unsure AS u
   WHERE EXISTS (SELECT 1 FROM "audit_events" AS a WHERE a."tenant_id" = u."tenant_id" AND a."at" <= u."blocked_at")
)
UPDATE "clients" AS c SET "own_blocked_at" = CASE WHEN shut."blocked_at" IS DISTINCT FROM shut.vendors_blocked_at OR own."tenant_id" IS NOT NULL
    OR known."tenant_id" IS NULL THEN shut."blocked_at" END
  FROM shut LEFT JOIN own USING ("tenant_id", "client_id") LEFT JOIN known USING ("tenant_id", "client_id")
  WHERE c."tenant_id" = shut."tenant_id" AND c."issuer_id" = shut."issuer_id" AND c."client_id" = shut."client_id";
