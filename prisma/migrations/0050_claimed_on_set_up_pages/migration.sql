-- The set-up link by which a company's IT claimed a domain: its page shows this one, and no other that the tenant has. Null: an admin did.
ALTER TABLE "domains" ADD COLUMN "setup_link_id" UUID;
ALTER TABLE "domains" ADD CONSTRAINT "domains_setup_link_id_fkey" FOREIGN KEY ("tenant_id", "setup_link_id")
  REFERENCES "setup_links" ("tenant_id", "id") ON DELETE SET NULL ("setup_link_id");
CREATE INDEX "domains_tenant_id_setup_link_id_idx" ON "domains" ("tenant_id", "setup_link_id");
