-- What a client asked for by acr_values and was reached when the grant was opened. A version that knows nothing of the column tells what the IdP said.
ALTER TABLE "grants" ADD COLUMN "asked_acr" TEXT;
