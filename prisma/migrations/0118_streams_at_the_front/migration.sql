-- An event stream at the front issuer carries what happened in every tenant, and each tenant owns the receipts of its events. Whoever owns the resource holds
-- its stream, lets it go or ends it: what is then said in receipts, wherever they rest, is said by this function, of a stream of the caller's own alone.
CREATE FUNCTION tell_receipts_of_own_stream(told uuid, became text, at timestamptz) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM event_streams WHERE tenant_id = NULLIF(current_setting('drawbridge.tenant_id', true), '')::uuid AND id = told) THEN
    RAISE EXCEPTION 'a tenant speaks of its own streams alone' USING ERRCODE = 'insufficient_privilege';
  END IF;
  UPDATE notice_receipts SET
      paused_at = CASE became WHEN 'paused' THEN coalesce(paused_at, at) WHEN 'enabled' THEN NULL ELSE paused_at END,
      refused_at = CASE became WHEN 'deleted' THEN at END,
      refusal = CASE became WHEN 'deleted' THEN 'stream_deleted' END
    WHERE stream_id = told AND acknowledged_at IS NULL AND lapsed_at IS NULL AND refused_at IS NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION tell_receipts_of_own_stream(uuid, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tell_receipts_of_own_stream(uuid, text, timestamptz) TO drawbridge_tenant;
