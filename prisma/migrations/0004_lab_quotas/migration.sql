-- Lab only: rate limits of one tenant, so that a suite can reach a limit without a flood and a load test can lift it.
ALTER TABLE "tenants" ADD COLUMN "lab_rate_limits" JSONB;

CREATE FUNCTION refuse_lab_quotas_elsewhere() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  IF NEW.lab_rate_limits IS NOT NULL AND NOT EXISTS (SELECT 1 FROM installation WHERE kind = 'lab') THEN
    RAISE EXCEPTION 'quotas per tenant belong to a lab' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER lab_quotas_in_labs_only BEFORE INSERT OR UPDATE OF lab_rate_limits ON tenants FOR EACH ROW EXECUTE FUNCTION refuse_lab_quotas_elsewhere();
CREATE TRIGGER own_lab_quotas_changed BEFORE UPDATE OF lab_rate_limits ON tenants FOR EACH ROW EXECUTE FUNCTION raise_own_configuration_version();
