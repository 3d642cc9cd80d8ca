-- Who signed the metadata that is in use, where no certificate is pinned. The running version leaves it empty, which trusts the next signer first.
ALTER TABLE "metadata_sources" ADD COLUMN "signed_by" TEXT;
