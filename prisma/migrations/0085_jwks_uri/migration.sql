-- Where a client publishes its keys, instead of saying them. A version that knows nothing of the column finds no keys, and believes nothing.
ALTER TABLE "clients" ADD COLUMN "jwks_uri" TEXT;
